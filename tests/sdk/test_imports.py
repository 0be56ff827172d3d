"""What importing the package costs, and that it offers what it says."""

from __future__ import annotations

import subprocess
import sys

import pytest

import landbridge


def modules_after(program: str) -> set[str]:
    """The modules that a fresh interpreter holds after the program."""
    ran = subprocess.run(
        [sys.executable, "-c", f"{program}\nimport sys\nprint(*sys.modules)"],
        capture_output=True,
        text=True,
        check=True,
    )
    return set(ran.stdout.split())


def test_importing_the_package_loads_neither_grpc_nor_protobuf() -> None:
    """Servers import the contract alone, and help texts should not wait for gRPC."""
    loaded = modules_after("import landbridge; dir(landbridge)")
    assert loaded.isdisjoint({"grpc", "google.protobuf", "pyarrow", "rich", "asyncio"})
    assert {name for name in loaded if name.startswith("landbridge.")} == set()


def test_an_exception_is_there_without_grpc() -> None:
    """An `except landbridge.Refused` in somebody's module costs nothing."""
    assert "grpc" not in modules_after("import landbridge; landbridge.Refused")


def test_connecting_loads_no_optional_library() -> None:
    """pyarrow and pandas take longer to load than a question takes."""  # noqa: D403
    loaded = modules_after("import landbridge; landbridge.connect")
    assert "grpc" in loaded
    assert loaded.isdisjoint({"pyarrow", "pandas", "rich", "cryptography", "landbridge.edge"})


@pytest.mark.parametrize("name", landbridge.__all__)
def test_every_public_name_can_be_had(name: str) -> None:
    """A lazy name with a typing error fails in the caller's hands only."""
    assert getattr(landbridge, name).__name__ == name


def test_a_name_that_is_not_there_is_an_ordinary_attribute_error() -> None:
    """`hasattr` and autocompletion rely on it."""
    with pytest.raises(AttributeError, match="no attribute 'conect'"):
        landbridge.conect  # noqa: B018
