"""What a bug report needs, and what `fastlstm bench` notes beside its times: versions, CPU, threads, backends."""

from fastlstm.info.backends import Backend, backends
from fastlstm.info.machine import cpu_features, cpu_name
from fastlstm.info.versions import missing, versions

__all__ = ["Backend", "backends", "cpu_features", "cpu_name", "missing", "versions"]
