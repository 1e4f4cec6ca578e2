"""Deliveries as the tests of the delivery have them, and the independent client of the sandbox's tests."""

from tests.delivery.conftest import land, landing, place
from tests.sandbox.conftest import make_client

__all__ = ["land", "landing", "make_client", "place"]
