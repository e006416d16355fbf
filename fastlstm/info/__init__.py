"""What a bug report needs, and what `fastlstm bench` notes beside its times: versions, CPU, threads, backends."""

from fastlstm.info.backend import Backend, backends
from fastlstm.info.installed import missing, versions
from fastlstm.info.machine import cpu_features, cpu_name
from fastlstm.info.plan import plan_lines

__all__ = ["Backend", "backends", "cpu_features", "cpu_name", "missing", "plan_lines", "versions"]
