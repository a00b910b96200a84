"""A folder is a registry: importing the package imports every module that lies in it."""

from importlib import import_module
from pkgutil import iter_modules


def import_all(package: str, folder: list[str]) -> None:
    """Import every module of `package`, so that each class in it is known to Django."""
    for module in iter_modules(folder):
        import_module(f"{package}.{module.name}")
