"""The version, which every record of the package carries."""

__all__ = ["__version__"]

__version__ = "0.2.0"
