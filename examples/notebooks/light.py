# %% [markdown] lang="en"
# # Containers are light
#
# **What does one more container cost: in time, in memory, on disk?** A virtual machine boots a kernel, reserves its memory
# and has a disk of its own. Start twelve containers and measure all three.
# %% [markdown] lang="es"
# # Los contenedores son ligeros
#
# **¿Cuánto cuesta un contenedor más: en tiempo, en memoria, en disco?** Una máquina virtual arranca un núcleo, reserva su
# memoria y tiene un disco propio. Inicia doce contenedores y mide las tres cosas.
# %%
import re
import statistics
import subprocess
import time

import containerkit as ck
from containerkit.display import BarChart, Table, human_bytes

engine = ck.connect()
N = 12
# %% [markdown] lang="en"
# ## Time
#
# First a process without a container, then twelve containers, one after the other:
# %% [markdown] lang="es"
# ## Tiempo
#
# Primero un proceso sin contenedor, después doce contenedores, uno tras otro:
# %%
began = time.monotonic()
subprocess.run(["true"], check=True)
process = time.monotonic() - began

boxes, times = [], []
for _ in range(N):
    began = time.monotonic()
    boxes.append(engine.start("busybox:1", "sleep 600"))
    times.append(time.monotonic() - began)

BarChart(
    f"N = {N}",
    [("true", process), ("min", min(times)), ("median", statistics.median(times)), ("max", max(times))],
    unit="seconds",
)
# %% [markdown] lang="en"
# A container takes a fraction of a second, more than a bare process: the engine makes namespaces, joins the layers and
# connects a network. A virtual machine takes many seconds, as it boots.
#
# ## Memory
#
# Every container runs the same program from the same layer. The kernel keeps that file **in memory once** and lets all
# processes map it. Two sums show it, of the main process of each container:
#
# - *Rss* counts every page that the process maps.
# - *Pss* divides each page by the number of processes that map it. So the sum of Pss is the memory really used.
# %% [markdown] lang="es"
# Un contenedor tarda una fracción de segundo, más que un simple proceso: el motor crea espacios de nombres, une las capas y
# conecta una red. Una máquina virtual tarda muchos segundos, porque arranca.
#
# ## Memoria
#
# Todos los contenedores ejecutan el mismo programa de la misma capa. El núcleo guarda ese archivo **una sola vez en
# memoria** y deja que todos los procesos lo usen. Lo muestran dos cifras del proceso principal de cada contenedor:
#
# - *Rss* cuenta cada página que usa el proceso.
# - *Pss* divide cada página entre los procesos que la usan. Así, la suma de Pss es la memoria realmente ocupada.


# %%
def memory(box: ck.Container) -> tuple[int, int]:
    text = box.exec("cat /proc/1/smaps_rollup", check=True).stdout
    rss, pss = (re.search(rf"^{name}:\s+(\d+) kB", text, re.MULTILINE) for name in ("Rss", "Pss"))
    return (int(rss[1]) * 1024 if rss else 0), (int(pss[1]) * 1024 if pss else 0)


used = [memory(box) for box in boxes]
rss, pss = (sum(values) for values in zip(*used, strict=True))
BarChart(f"N = {N}", [("Σ Rss", rss), ("Σ Pss", pss)])
# %% [markdown] lang="en"
# That is all the memory of twelve containers' programs. The engine adds a small helper process for each (`containerd-shim`
# or `conmon`), of a few megabytes. Twelve virtual machines of 512 MB would reserve:
# %% [markdown] lang="es"
# Esa es toda la memoria de los programas de doce contenedores. El motor añade a cada uno un pequeño proceso auxiliar
# (`containerd-shim` o `conmon`), de unos pocos megabytes. Doce máquinas virtuales de 512 MB reservarían:
# %%
print(human_bytes(N * 512_000_000))
# %% [markdown] lang="en"
# ## Disk
#
# Each container adds one read-write layer, and only what it writes is in there. Beside it: what a full copy of the image
# for each would take.
# %% [markdown] lang="es"
# ## Disco
#
# Cada contenedor añade una capa de lectura y escritura, y en ella está solo lo que escribe. Al lado: lo que ocuparía una
# copia completa de la imagen para cada uno.
# %%
boxes[0].exec(["sh", "-c", "echo hello > /notes"], check=True)
layers = [box.layer_usage() for box in boxes]
Table("", ("", "bytes"), [("busybox:1", human_bytes(engine.layers("busybox:1").sizes.content))])
# %%
Table(
    f"N = {N}",
    ("container", "Rss", "Pss", "upper", "on disk"),
    [
        (box.name, human_bytes(r), human_bytes(p), human_bytes(layer.content_bytes), human_bytes(layer.disk_bytes))
        for box, (r, p), layer in zip(boxes, used, layers, strict=True)
    ],
)
# %% [markdown] lang="en"
# The disk takes a few folders for each container (*on disk*), and the files take what was written (*upper*).
#
# ## The price
#
# What is shared is not isolated: all containers run on one kernel. A fault of the kernel is a fault of them all. See the
# notebook about isolation.
#
# ## Exercises
#
# 1. Start the twelve containers from eight threads at once (`concurrent.futures`). How long do all take together?
# 2. Write 5 MB of zeros in one container with `dd`. How do its read-write layer, and the image, change?
# 3. Compare Σ Pss of two, six and twelve containers. How much does one more container add?
#
# The solutions are in [solutions.ipynb](solutions.ipynb).
# %% [markdown] lang="es"
# El disco guarda unas pocas carpetas por contenedor (*on disk*), y los archivos ocupan lo que se escribió (*upper*).
#
# ## El precio
#
# Lo que se comparte no está aislado: todos los contenedores corren sobre un solo núcleo. Un fallo del núcleo es un fallo de
# todos. Mira el cuaderno sobre aislamiento.
#
# ## Ejercicios
#
# 1. Inicia los doce contenedores desde ocho hilos a la vez (`concurrent.futures`). ¿Cuánto tardan todos juntos?
# 2. Escribe 5 MB de ceros en un contenedor con `dd`. ¿Cómo cambian su capa de escritura y la imagen?
# 3. Compara la Σ Pss de dos, seis y doce contenedores. ¿Cuánto añade un contenedor más?
#
# Las soluciones están en [solutions.ipynb](solutions.ipynb).
# %%
engine.close()
