"""The engine: schedules, spaces, processes, denoisers, samplers, guidance, objectives.

It knows nothing of chemistry, files or networks.
"""
