"""A webhook goes to a public https address; our own network cannot be reached through it."""

from __future__ import annotations

import pytest

from referralnet.partners.addresses import AddressNotPublic, check_form, check_resolves, is_public

PRIVATE = (
    "127.0.0.1", "10.1.2.3", "172.16.0.1", "192.168.1.1", "169.254.169.254", "100.64.0.1", "0.0.0.1", "224.0.0.1",
    "::1", "::", "fe80::1", "fe80::1%eth0", "fd00::1", "ff02::1", "::ffff:10.0.0.1", "64:ff9b::7f00:1", "2002:7f00:1::",
)  # fmt: skip


@pytest.mark.parametrize("address", PRIVATE)
def test_an_address_of_our_own_network_is_not_public(address: str) -> None:
    assert not is_public(address)


@pytest.mark.parametrize("address", ["8.8.8.8", "2606:4700::1111", "::ffff:8.8.8.8"])
def test_an_address_of_the_internet_is_public(address: str) -> None:
    assert is_public(address)


@pytest.mark.parametrize(
    "url",
    [
        "http://partner.example/", "https://10.0.0.1/", "https://[::1]/", "https://user@partner.example/",
        "https://user:word@partner.example/", "ftp://partner.example/", "https://", "https://partner.example:port/",
        "https://partner.example/#here", "https://partner.example/a b", f"https://partner.example/{'x' * 500}",
        "file:///etc/passwd", "https://[bad/",
    ],
)  # fmt: skip
def test_what_is_no_public_https_address_is_refused(url: str) -> None:
    with pytest.raises(AddressNotPublic) as caught:
        check_form(url, private=False)
    assert caught.value.field == "url"


def test_a_public_address_is_taken() -> None:
    assert check_form("https://partner.example:8443/hooks?for=us", private=False) == "partner.example"
    assert check_form("http://127.0.0.1:9/", private=True) == "127.0.0.1"


async def test_a_name_that_leads_to_this_machine_is_refused() -> None:
    with pytest.raises(AddressNotPublic):
        await check_resolves("https://localhost/", private=False)
    await check_resolves("https://localhost/", private=True)
