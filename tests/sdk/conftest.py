"""One certificate authority for the whole folder."""

import pytest

from tests.sdk.loopback import Authority


@pytest.fixture(scope="session")
def authority() -> Authority:
    """Made once: keys take time."""
    return Authority()
