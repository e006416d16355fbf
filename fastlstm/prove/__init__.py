"""`fastlstm prove`: run a model and show which outputs depend on which inputs."""

from .ask import Answer, Question, prove
from .target import TargetError, build, find, seed

__all__ = ["Answer", "Question", "TargetError", "build", "find", "prove", "seed"]
