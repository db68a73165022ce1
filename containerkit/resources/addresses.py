"""Check the addresses that a container requests on a network."""

from __future__ import annotations

import ipaddress

from ..backends.base import Backend
from ..errors import InvalidOption
from ..spec import NetworkAttachment


def check_addresses(backend: Backend, attachment: NetworkAttachment) -> None:
    """Raise InvalidOption if a requested address is outside the network's subnets.

    Podman 4 finds this out late, and then can list neither networks nor containers until the container is removed.

    Raises:
        InvalidOption, NetworkNotFound.
    """
    for name, address in (("ip", attachment.ipv4_address), ("ip6", attachment.ipv6_address)):
        if address is not None:
            subnets = [subnet for subnet, _ in backend.inspect_network(attachment.name).subnets]
            found = ipaddress.ip_address(address)
            if subnets and not any(found in ipaddress.ip_network(subnet, strict=False) for subnet in subnets):
                raise InvalidOption(name, address, f"an address of network {attachment.name}: {', '.join(subnets)}")
