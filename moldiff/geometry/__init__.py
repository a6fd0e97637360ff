"""Geometry in numpy (`arrays`) and in torch (`tensors`), under the same names.

``arrays`` serves chemistry, files, metrics and pictures, which run without torch; ``tensors``
serves the engine, the networks and docking.  Both use the same conventions: a rotation R acts on
points as ``R x``, so positions (n, 3) rotate by ``x @ R.T``, and angles lie in [-pi, pi).
"""
