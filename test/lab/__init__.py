# SPDX-License-Identifier: MIT
"""GreenPi's workbench: boards, a switch, a client and origins in network namespaces.

From the lowest layer up: `netns` (namespaces), `proc` (programs in them), `wire` (HTTP messages),
`client` and `origin` (both ends of a conversation), `daemon` (GreenPi's programs), `relay`, then
the two benches: `lab.Lab`, one namespace for the test of a daemon, and `cluster.Cluster`, the four
boards of conf/greenpi.conf. `demo` shows the cluster to a person. Standard library only; root only.
"""
