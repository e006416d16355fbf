"""`fastlstm explain`: the linter's, with the layers of cells of one's own."""

from fastlstm_lint.cli.explain import make

from fastlstm.cli.own import layers

explain = make(layers)
