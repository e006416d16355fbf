"""The linter for recurrent code: finds wrong axes in PyTorch programs without running them."""
