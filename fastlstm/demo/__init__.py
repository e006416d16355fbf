"""`fastlstm demo`: the library at work on real data, in four parts.

Each part is a module with a title and a `run(watch)` that gives a `Showing`; none needs torch.
"""
