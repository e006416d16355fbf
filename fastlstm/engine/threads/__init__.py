"""Worker threads that live inside compiled code; README.md is the protocol by which they share the work of a call."""
