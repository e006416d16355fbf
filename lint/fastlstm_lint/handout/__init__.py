"""A folder as one HTML file to hand in or to hand round: `fastlstm report`.

* `gather.py`: the programs with their shapes and findings, nothing of them run;
* `page.py`: all of it as one file that fetches nothing and runs nothing, every text of a stranger's escaped.
"""
