"""Business days where an agency is: neither its weekend nor a public holiday of its country."""

from __future__ import annotations

from datetime import date
from functools import cache

from babel.core import get_global
from holidays import HolidayBase, country_holidays

COUNTRY_OTHERWISE = "US"
"""Of a zone that belongs to no country, such as UTC."""


def country_of(time_zone: str) -> str:
    """The country of an IANA zone, as ISO 3166-1 alpha-2; territories (PR, GU) have their own (CLDR)."""
    zone = get_global("zone_aliases").get(time_zone, time_zone)
    country = str(get_global("zone_territories").get(zone, COUNTRY_OTHERWISE))
    return country if country.isalpha() and country != "ZZ" else COUNTRY_OTHERWISE


def business_day_after(day: date, count: int, time_zone: str) -> date:
    """The `count`-th business day after `day`, which does not count itself.

    In the United States these are the federal holidays, also where one is observed on the day before or after it.
    """
    return _calendar(country_of(time_zone)).get_nth_working_day(day, count)


@cache
def _calendar(country: str) -> HolidayBase:
    """It counts a year out when that is first asked for."""
    return country_holidays(country)
