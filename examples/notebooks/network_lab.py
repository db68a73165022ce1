# %% [markdown] lang="en"
# # A network lab
#
# **How does a packet find its way from one network to another?** Build two networks with a router between them, out of
# containers: no plugin, no root. Each host has a kernel's network of its own: interfaces, routes, a table of neighbours.
# %% [markdown] lang="es"
# # Un laboratorio de redes
#
# **¿Cómo encuentra un paquete el camino de una red a otra?** Construye dos redes con un enrutador (*router*) en medio, con
# contenedores: sin extensiones y sin root. Cada equipo tiene su propia red del núcleo: interfaces, rutas y tabla de vecinos.
# %%
import struct

import containerkit as ck
from containerkit.display import Table
from containerkit.labs import BASE_IMAGE, Lab

engine = ck.connect()
has_tcpdump = engine.images.exists(BASE_IMAGE)
lab = Lab(engine, image="busybox:1", helper_image=BASE_IMAGE if has_tcpdump else None)
lab.add("pc1", {"A": "10.0.1.2/24"}, gateway="10.0.1.1")
lab.add("pc2", {"A": "10.0.1.3/24"}, gateway="10.0.1.1")
lab.add("r1", {"A": "10.0.1.1/24", "B": "10.0.2.1/24"}, router=True)
lab.add("web", {"B": "10.0.2.2/24"}, gateway="10.0.2.1", files={"/srv/page": "42\n"}, startup="httpd -p 80 -h /srv")
lab.topology.draw()
# %% [markdown] lang="en"
# `A` and `B` are *collision domains*: what is plugged into one of them is on the same wire. `r1` has an interface in both
# and forwards packets. Start it all:
# %% [markdown] lang="es"
# `A` y `B` son *dominios de colisión*: lo que está conectado a uno está en el mismo cable. `r1` tiene una interfaz en cada
# uno y reenvía paquetes. Ponlo todo en marcha:
# %%
lab.up()
lab.status()
# %%
lab.ping_all()
# %% [markdown] lang="en"
# ## The way there
#
# Who is on the same wire gets the packet directly. For everyone else there is the default route:
# %% [markdown] lang="es"
# ## El camino de ida
#
# Quien está en el mismo cable recibe el paquete directamente. Para todos los demás está la ruta por defecto:
# %%
print(lab["pc1"].exec("ip route").stdout)
print(lab["r1"].exec("ip route").stdout)
# %% [markdown] lang="en"
# Each router that forwards a packet lowers its time to live (`ttl`) by one. Compare a neighbour with the server behind the
# router:
# %% [markdown] lang="es"
# Cada enrutador que reenvía un paquete baja en uno su tiempo de vida (`ttl`). Compara un vecino con el servidor que está
# detrás del enrutador:
# %%
for address in ("10.0.1.3", "10.0.2.2"):
    print(lab["pc1"].exec(f"ping -c 1 {address}").stdout.splitlines()[1])
# %% [markdown] lang="en"
# ## Names on the wire
#
# On the wire an address is a MAC address. ARP asks for it, and the kernel remembers the answer. For a packet to `10.0.2.2`,
# `pc1` asked for the MAC address of the **router**, not of the server:
# %% [markdown] lang="es"
# ## Nombres en el cable
#
# En el cable, una dirección es una dirección MAC. ARP la pregunta y el núcleo recuerda la respuesta. Para un paquete a
# `10.0.2.2`, `pc1` preguntó por la dirección MAC del **enrutador**, no por la del servidor:
# %%
print(lab["pc1"].exec("cat /proc/net/arp").stdout)
print(lab["r1"].exec("cat /sys/class/net/eth0/address").stdout)
# %% [markdown] lang="en"
# ## A capture
#
# The same packet on both wires: `tcpdump` records each of them while `pc1` pings the server. The addresses of the networks
# stay. The MAC addresses and the time to live change at the router. (`tcpdump` is in an image that
# `containerkit lab images` builds once. Without it this cell says so and goes on.)
# %% [markdown] lang="es"
# ## Una captura
#
# El mismo paquete en ambos cables: `tcpdump` graba cada uno mientras `pc1` hace ping al servidor. Las direcciones de red no
# cambian. Las direcciones MAC y el tiempo de vida cambian en el enrutador. (`tcpdump` está en una imagen que
# `containerkit lab images` construye una vez. Sin ella, esta celda lo dice y sigue).


# %%
def packets(pcap: bytes) -> list[tuple[str, str, str, str, int, str]]:
    """Read the ICMP packets of a pcap file: MAC and IP addresses of both ends, time to live, kind."""
    found, place = [], 24
    while place < len(pcap):
        (length,) = struct.unpack_from("<I", pcap, place + 8)
        frame = pcap[place + 16 : place + 16 + length]
        place += 16 + length
        if frame[12:14] == b"\x08\x00" and frame[23] == 1:
            macs = [":".join(f"{byte:02x}" for byte in frame[at : at + 6]) for at in (6, 0)]
            hosts = [".".join(map(str, frame[at : at + 4])) for at in (26, 30)]
            kind = {8: "request", 0: "reply"}.get(frame[14 + 4 * (frame[14] & 15)], "other")
            found.append((macs[0], macs[1], hosts[0], hosts[1], frame[22], kind))
    return found


rows = []
if has_tcpdump:
    with lab.capture("A") as wire_a, lab.capture("B") as wire_b:
        lab["pc1"].exec("ping -c 1 10.0.2.2", check=True)
    rows = [(name, *packet) for name, wire in (("A", wire_a), ("B", wire_b)) for packet in packets(wire.data)]
columns = ("wire", "from MAC", "to MAC", "from", "to", "ttl", "ping")
note = [] if has_tcpdump else ["No image with tcpdump: run `containerkit lab images`, and then this notebook again."]
Table("One ping on two wires", columns, rows, notes=note)
# %% [markdown] lang="en"
# ## A service, and a fault
# %% [markdown] lang="es"
# ## Un servicio y una avería
# %%
print(lab["pc1"].exec("wget -q -O - http://10.0.2.2/page").stdout, end="")
# %%
lab.link_down("web")
lab.ping_all()
# %% [markdown] lang="en"
# The cable of `web` is unplugged. Plug it in, and delete the router's route to `B` instead. The cable is whole, and the packets
# no longer find the way.
# %% [markdown] lang="es"
# El cable de `web` está desconectado. Conéctalo y, en cambio, borra en el enrutador la ruta a `B`. El cable está entero,
# pero los paquetes ya no encuentran el camino.
# %%
lab.link_up("web")
lab["r1"].exec("ip route del 10.0.2.0/24", user="0", check=True)
lab.ping_all()
# %%
lab
# %%
lab.restart("r1")
lab.ping_all().complete
# %% [markdown] lang="en"
# ## Exercises
#
# 1. Add a third network `C` with `pc3`, behind a second router `r2` that is connected to `B`. Which routes does each router
#    need?
# 2. Give `pc2` a wrong gateway, `10.0.1.9`. What does the matrix show? Whom can `pc2` still reach?
# 3. What does the error say if you leave the prefix out, `{"A": "10.0.1.2"}`?
#
# The solutions are in [solutions.ipynb](solutions.ipynb).
# %% [markdown] lang="es"
# ## Ejercicios
#
# 1. Añade una tercera red `C` con `pc3`, detrás de un segundo enrutador `r2` que está conectado a `B`. ¿Qué rutas necesita
#    cada enrutador?
# 2. Da a `pc2` una puerta de enlace equivocada, `10.0.1.9`. ¿Qué muestra la matriz? ¿A quién llega todavía `pc2`?
# 3. ¿Qué dice el error si omites el prefijo, `{"A": "10.0.1.2"}`?
#
# Las soluciones están en [solutions.ipynb](solutions.ipynb).
# %%
lab.down()
engine.close()
