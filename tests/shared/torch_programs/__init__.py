"""Random programs of torch calls with literal sizes, by seed, with torch as the judge of the linter.

    PYTHONPATH=tests/shared python -m torch_programs [FIRST] [LAST] [--show N]

judges seeds FIRST to LAST (0 to 10,000 by default): the line where torch raises must be found, where torch goes on
nothing that would raise may be reported, and what the linter knows of a value must be so. Prints what is missed by
torch's sentence, and N cases of it made small.
"""

from .judge import HEADER, Verdict, judge, program, shrunk

__all__ = ["HEADER", "Verdict", "judge", "program", "shrunk"]
