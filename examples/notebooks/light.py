# %% [markdown] lang="en"
# # Containers are light
#
# **What does one more container cost: in time, in memory, on disk? And one more virtual machine?** Start a hundred
# containers, dozens at once, and measure all three. At the end a real virtual machine stands beside them.
# %% [markdown] lang="es"
# # Los contenedores son ligeros
#
# **¿Cuánto cuesta un contenedor más: en tiempo, en memoria, en disco? ¿Y una máquina virtual más?** Inicia cien
# contenedores, docenas a la vez, y mide las tres cosas. Al final se compara con una máquina virtual real.
# %%
import json
import re
import statistics
import subprocess
import time
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import Any

import containerkit as ck
from containerkit.display import BarChart, Table, bytes_cell, human_bytes, human_seconds

engine = ck.connect()
N, FIRST, AT_ONCE = 100, 10, 24


def start(_: int = 0) -> tuple[ck.Container, float]:
    began = time.monotonic()
    box = engine.start("busybox:1", "sleep 900", network="none")
    return box, time.monotonic() - began


# %% [markdown] lang="en"
# ## Time
#
# First a process without a container, then ten containers, one after the other:
# %% [markdown] lang="es"
# ## Tiempo
#
# Primero un proceso sin contenedor, después diez contenedores, uno tras otro:
# %%
began = time.monotonic()
subprocess.run(["true"], check=True)
process = time.monotonic() - began

boxes, alone = map(list, zip(*[start() for _ in range(FIRST)], strict=True))
BarChart(
    "Time to start",
    [
        ("a process", process),
        ("container, fastest", min(alone)),
        ("container, median", statistics.median(alone)),
        ("container, slowest", max(alone)),
    ],
    unit="seconds",
)
# %% [markdown] lang="en"
# A container takes a fraction of a second, more than a bare process: the engine makes namespaces, joins the layers and
# sets up cgroups. Now the other ninety, two dozen at once. Each waits for the others, so each takes longer. All together
# they take less time than one after the other, as far as there are processors:
# %% [markdown] lang="es"
# Un contenedor tarda una fracción de segundo, más que un simple proceso: el motor crea espacios de nombres, une las capas y
# prepara los cgroups. Ahora los otros noventa, dos docenas a la vez. Cada uno espera a los demás y tarda más. Todos juntos
# tardan menos que uno tras otro, hasta donde haya procesadores:
# %%
one = boxes[0]
rollup = one.exec("cat /proc/1/smaps_rollup", check=True).stdout  # for later: its memory among ten

began = time.monotonic()
with ThreadPoolExecutor(AT_ONCE) as pool:
    more, crowded = map(list, zip(*pool.map(start, range(N - FIRST)), strict=True))
together = time.monotonic() - began
boxes += more

BarChart(
    f"{N - FIRST} containers, {AT_ONCE} at once",
    [
        ("one after the other (median × number)", statistics.median(alone) * len(more)),
        ("at once, until all run", together),
        ("at once, share of each", together / len(more)),
        ("at once, wait of each (median)", statistics.median(crowded)),
    ],
    unit="seconds",
)
# %% [markdown] lang="en"
# ## Memory
#
# Every container runs the same program from the same layer. The kernel keeps that file **in memory once** and lets all
# processes map it. Two figures of a main process show it:
#
# - *Rss* counts every page that the process maps.
# - *Pss* divides each page by the number of processes that map it. So the sum of Pss is the memory really used.
#
# The more containers run, the less each of them takes:
# %% [markdown] lang="es"
# ## Memoria
#
# Todos los contenedores ejecutan el mismo programa de la misma capa. El núcleo guarda ese archivo **una sola vez en
# memoria** y deja que todos los procesos lo usen. Lo muestran dos cifras de un proceso principal:
#
# - *Rss* cuenta cada página que usa el proceso.
# - *Pss* divide cada página entre los procesos que la usan. Así, la suma de Pss es la memoria realmente ocupada.
#
# Cuantos más contenedores corren, menos ocupa cada uno:


# %%
def kilobytes(text: str, name: str) -> int:
    found = re.search(rf"^{name}:\s+(\d+) kB", text, re.MULTILINE)
    return int(found[1]) * 1024 if found else 0


now = [box.exec("cat /proc/1/smaps_rollup", check=True).stdout for box in boxes[:: N // 10]]
rss, pss = (statistics.mean(kilobytes(text, name) for text in now) for name in ("Rss", "Pss"))
BarChart(
    "Memory of one main process",
    [
        ("Rss", rss),
        (f"Pss, {FIRST} containers running", kilobytes(rollup, "Pss")),
        (f"Pss, {len(boxes)} containers running", pss),
    ],
)
# %%
memory = pss * len(boxes)
BarChart(
    f"Memory of {len(boxes)} main processes", [("Σ Rss: nothing shared", rss * len(boxes)), ("Σ Pss: measured", memory)]
)
# %% [markdown] lang="en"
# That is all the memory of the programs in a hundred containers. The engine adds a small helper process for each
# (`containerd-shim` or `conmon`), of a few megabytes.
#
# ## Disk
#
# Each container adds one read-write layer, and only what it writes is in there. Beside it: a full copy of the image for
# each, the way of virtual machines.
# %% [markdown] lang="es"
# Esa es toda la memoria de los programas de cien contenedores. El motor añade a cada uno un pequeño proceso auxiliar
# (`containerd-shim` o `conmon`), de unos pocos megabytes.
#
# ## Disco
#
# Cada contenedor añade una capa de lectura y escritura, y en ella está solo lo que escribe. Al lado: una copia completa de
# la imagen para cada uno, a la manera de las máquinas virtuales.
# %%
one.exec(["sh", "-c", "echo hello > /notes"], check=True)
image = engine.layers("busybox:1").sizes.content or 0
upper = one.layer_usage()
upper
# %%
disk = upper.content_bytes or 0
BarChart(
    f"Disk of {len(boxes)} containers",
    [
        ("full copies of the image", image * len(boxes)),
        ("one image and the layers", image + disk * len(boxes)),
    ],
)
# %% [markdown] lang="en"
# ## A virtual machine beside them
#
# User-mode Linux is a virtual machine that needs no special processor: a kernel that runs as a process, with a disk and
# memory of its own. On Debian, root boots it and measures it with
#
#     python benchmarks/machine.py machine.json
#
# in the folder of this notebook. Where that file is missing, the table shows figures that were recorded elsewhere, and says
# so. The machine boots a whole Debian with systemd; the container starts one program. That is the difference: a container
# needs no system of its own.
# %% [markdown] lang="es"
# ## Al lado, una máquina virtual
#
# User-mode Linux es una máquina virtual que no necesita un procesador especial: un núcleo que corre como un proceso, con
# disco y memoria propios. En Debian, root la arranca y la mide con
#
#     python benchmarks/machine.py machine.json
#
# en la carpeta de este cuaderno. Donde falta ese archivo, la tabla muestra cifras registradas en otra máquina, y lo dice.
# La máquina arranca un Debian entero con systemd; el contenedor inicia un solo programa. Esa es la diferencia: un
# contenedor no necesita un sistema propio.
# %%
recorded = {"measured": "2026-11-28", "boot_seconds": 19.7, "memory_bytes": 403_148_800, "disk_bytes": 817_491_968}
file = Path("machine.json")
machine: dict[str, Any] = json.loads(file.read_text()) if file.exists() else recorded
source = "measured here" if file.exists() else f"recorded {machine['measured']}, two busy processors"
start_time = statistics.median(alone)
taken = upper.disk_bytes or upper.content_bytes or 1
Table(
    "Virtual machine against container",
    ("", f"virtual machine ({source})", "container (measured here)", "ratio"),
    [
        (
            "until it runs",
            human_seconds(machine["boot_seconds"]),
            human_seconds(start_time),
            f"{machine['boot_seconds'] / start_time:.0f}×",
        ),
        (
            "memory",
            bytes_cell(machine["memory_bytes"]),
            bytes_cell(round(pss)),
            f"{machine['memory_bytes'] / pss:,.0f}×",
        ),
        ("disk", bytes_cell(machine["disk_bytes"]), bytes_cell(taken), f"{machine['disk_bytes'] / taken:,.0f}×"),
        ("memory of 100", bytes_cell(100 * machine["memory_bytes"]), bytes_cell(round(100 * pss)), ""),
        ("kernel", "its own", "the host's", ""),
    ],
    notes=[f"The container's image, {human_bytes(image)}, is stored once for all of them."],
)
# %% [markdown] lang="en"
# ## The price
#
# What is shared is not isolated: all containers run on one kernel. A fault of the kernel is a fault of them all. See the
# notebook about isolation.
#
# ## Exercises
#
# 1. Start four more containers from 1, 2, 4 and 8 threads. From which number on does it get no faster? How many
#    processors has the machine?
# 2. Write 5 MB of zeros in one container with `dd`. How do its read-write layer, and the image, change?
# 3. Compare Σ Pss of two, six and twelve containers. How much does one more container add?
#
# The solutions are in [solutions.ipynb](solutions.ipynb).
# %% [markdown] lang="es"
# ## El precio
#
# Lo que se comparte no está aislado: todos los contenedores corren sobre un solo núcleo. Un fallo del núcleo es un fallo de
# todos. Mira el cuaderno sobre aislamiento.
#
# ## Ejercicios
#
# 1. Inicia otros cuatro contenedores desde 1, 2, 4 y 8 hilos. ¿A partir de qué número deja de ir más rápido? ¿Cuántos
#    procesadores tiene la máquina?
# 2. Escribe 5 MB de ceros en un contenedor con `dd`. ¿Cómo cambian su capa de escritura y la imagen?
# 3. Compara la Σ Pss de dos, seis y doce contenedores. ¿Cuánto añade un contenedor más?
#
# Las soluciones están en [solutions.ipynb](solutions.ipynb).
# %%
with ThreadPoolExecutor(AT_ONCE) as pool:
    list(pool.map(lambda box: box.remove(force=True), boxes))
engine.close()
