"""How products are cut on this machine: what kernels compute by, and plans give memory by."""

from fastlstm.kernels.machine import Machine, host

R = host().tile_rows
C = host().tile_vectors

# A block of a panel is 16 KB: half of the smallest first-level cache, the other half is for the rows.
DEPTH = 16384 // (C * host().vector_bytes)


def side_by_side(machine: Machine, widens: bool) -> tuple[int, int, int]:
    """The panels of a tile of one row, the rows of another with few, and its panels.

    With fewer rows than registers for sums, several panels keep the multipliers busy (an FMA takes 4 cycles, two start
    in each). Weights that are made wider pass through a register each, and LLVM reads many of them first: with a panel
    or a row more the sums do not fit, and one that goes through memory at every k takes half of the speed.
    """
    if machine.tile_rows <= 6:
        return (3, 2, 2) if widens else (4, 3, 2)
    return (6, 2, 4) if widens else (8, 3, 4)


# Of kernels whose lanes are samples: registers of samples that go together; rows of weights, broadcast, whose sums fill
# the registers then. With one register of samples more rows than hide an FMA's time would only be more code.
MOST_GROUPS = 2
ROWS_OF_1, ROWS_OF_2 = min(R * C, 8), R * C // 2
# Rows by columns of a weight's gradient, a vector of sums for each: 12 sums read 7 vectors.
SUM_ROWS, SUM_COLUMNS = (4, 3) if R * C >= 12 else (2, 1)

ROWS = 48  # of one block of input gradients; each panel of weights serves them from the first-level cache
# Gate rows whose products share a block of columns: 96 by 256 float32 are 96 KB of the second-level cache. Their rows
# lie an odd number of cache lines apart.
BLOCK_ROWS, BLOCK_LD = 16 * R, 16 * R + 16

# Of the factors of plain products so much is packed at once: in float32 32 KB of a panel, 220 KB of a block of rows.
PLAIN_DEPTH = 512


def plain_room(rows: int, width: int) -> int:
    """Elements of scratch for one portion of `products`, where out has `rows` rows and a panel has `width` columns."""
    return (1 + PLAIN_DEPTH + max(rows, BLOCK_ROWS)) * width + PLAIN_DEPTH * BLOCK_LD
