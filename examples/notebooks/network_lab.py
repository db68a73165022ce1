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
import containerkit as ck
from containerkit.labs import Lab

engine = ck.connect()
lab = Lab(engine, image="busybox:1")
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
