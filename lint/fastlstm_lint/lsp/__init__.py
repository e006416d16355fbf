"""`fastlstm lsp`: the linter and its shapes in an editor, over the language server protocol. Needs pygls."""
