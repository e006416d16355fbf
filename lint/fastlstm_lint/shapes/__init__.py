"""The inferred shapes of a whole program: written beside its lines, compared with the comments there, or asked for."""
