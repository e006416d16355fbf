"""Where things stand: time steps, tokens and the rows that belong to them."""

from fastlstm.kernels.jit import at, inner


@inner
def share(count, granule, thread, threads):
    """The range of `count` things that this thread does: near-equal, cut at multiples of `granule`."""
    granules = (count + granule - 1) // granule
    first = granules * thread // threads * granule
    last = granules * (thread + 1) // threads * granule
    return min(first, count), min(last, count)


@inner
def time_of(job, s):
    """The time step that this direction processes as its s-th."""
    return job.T - 1 - s if job.backwards else s


@inner
def samples(job, t):
    """How many samples of this task have step t; the first ones, as packed data is sorted by length."""
    return job.tokens[t + 1] - job.tokens[t] if job.ragged else job.B


@inner
def samples_at(job, s):
    """How many samples the s-th processed step has; 0 before the first and after the last."""
    return samples(job, time_of(job, s)) if 0 <= s < job.T else 0


@inner
def token(job, t):
    """The number of the first token of step t; for t = T, how many there are."""
    return job.tokens[t] if job.ragged else t * job.B


@inner
def x_row(job, base, t, b):
    """The caller's input (or its gradient) at step t, sample b."""
    return at(base, (job.rows[t] if job.ragged else t) * job.x_step + b * job.x_batch)


@inner
def out_row(job, base, t, b):
    """The caller's output (or its gradient, or the dropout mask) at step t, sample b."""
    return at(base, (job.rows[t] if job.ragged else t) * job.out_step + b * job.out_batch)


@inner
def every_row(job, base, t, b):
    """The states beside h (or their gradients) at step t, sample b: laid out as the output, H wide where that is P."""
    return at(base, ((job.rows[t] if job.ragged else t) * job.out_step + b * job.out_batch) // job.P * job.H)


@inner
def es_row(job, base, t, b):
    """The step inputs (or their gradient) at step t, sample b."""
    return at(base, (job.rows[t] if job.ragged else t) * job.es_step + b * job.es_batch)


@inner
def state_row(job, s):
    """Row of hin and cin with the state entering the s-th processed step; without training two take turns."""
    return token(job, time_of(job, s)) if job.train else (s & 1) * job.B


@inner
def boundary(job, s):
    """The row of the reset mask that says whether a state may enter the s-th processed step.

    reset[t] cuts between the steps t - 1 and t, whichever way the direction crosses it.
    """
    return job.T - s if job.backwards else s


@inner
def samples_cut(job, s):
    """How many samples can be reset before the s-th processed step."""
    t = boundary(job, s)
    return min(samples(job, t), samples_at(job, s)) if t < job.T else 0
