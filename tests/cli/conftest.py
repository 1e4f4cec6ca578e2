"""Deliveries, as the tests of the delivery have them."""

from tests.delivery.conftest import land, landing, place

__all__ = ["land", "landing", "place"]
