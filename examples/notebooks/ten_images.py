# %% [markdown] lang="en"
# # Ten machines or ten images
#
# **Ten virtual machines with a disk of 2 GB each take 20 GB. How much do ten images take?** Ten images of one base share
# its layers: 2.2 GB, if each adds 20 MB. Measure it here at one hundredth of the size, and see when it is not true.
# %% [markdown] lang="es"
# # Diez máquinas o diez imágenes
#
# **Diez máquinas virtuales con un disco de 2 GB cada una ocupan 20 GB. ¿Cuánto ocupan diez imágenes?** Diez imágenes de una
# misma base comparten sus capas: 2,2 GB, si cada una añade 20 MB. Mídelo aquí con la centésima parte, y mira cuándo no es
# cierto.
# %%
import os
import re

import containerkit as ck
from containerkit.display import BarChart, Table, Treemap, bytes_cell

engine = ck.connect()
# %% [markdown] lang="en"
# ## The base
#
# 18 MB of random bytes, which nothing can compress, and 2 MB of busybox take the place of a distribution of 2 GB. Each of
# the ten images adds 200 kB.
# %% [markdown] lang="es"
# ## La base
#
# 18 MB de bytes aleatorios, que nada puede comprimir, y 2 MB de busybox hacen de distribución de 2 GB. Cada una de las diez
# imágenes añade 200 kB.
# %%
files = {f"lib/module{n}.so": os.urandom(2_000_000) for n in range(8)}
files |= {f"share/doc/page{n}.txt": os.urandom(20_000) for n in range(100)}
dockerfile = "FROM busybox:1\nCOPY lib /usr/lib\nCOPY share /usr/share\n"
engine.images.build({"Dockerfile": dockerfile, **files}, tag="docker.io/containerkit/nb-base:1")
refs = [f"docker.io/containerkit/nb-derived:{n}" for n in range(10)]
for ref in refs:
    context = {"Dockerfile": "FROM containerkit/nb-base:1\nCOPY data /data\n", "data": os.urandom(200_000)}
    engine.images.build(context, tag=ref)
engine.layers(refs[0])
# %% [markdown] lang="en"
# ## What they cost
#
# *Size* is what an engine's list of images shows for each. *Shared* is the part that other images have too. *Unique* is
# what would go if you removed that image alone.
# %% [markdown] lang="es"
# ## Lo que cuestan
#
# *Size* es lo que la lista de imágenes de un motor muestra para cada una. *Shared* es la parte que también tienen otras
# imágenes. *Unique* es lo que se liberaría al eliminar solo esa imagen.
# %%
savings = engine.savings(refs, containers=False)
savings


# %% [markdown] lang="en"
# With a base of *B* bytes and *N* images that add *d* each, the sum is N·(B+d), and the distinct layers are B+N·d. The third
# bar is what the engine really takes on this disk. The last is ten full copies on a disk, the way of virtual machines.
# (A figure is *unknown* if this account may not read the engine's files.)
#
# Beside the figures of the lecture, a hundred times what was measured here:
# %% [markdown] lang="es"
# Con una base de *B* bytes y *N* imágenes que añaden *d* cada una, la suma es N·(B+d), y las capas distintas son B+N·d. La
# tercera barra es lo que el motor ocupa de verdad en este disco. La última son diez copias completas en un disco, a la
# manera de las máquinas virtuales. (Una cifra es *unknown* si esta cuenta no puede leer los archivos del motor).
#
# Junto a las cifras de la lección, cien veces lo medido aquí:
# %%
def hundredfold(size: int | None) -> object:
    return bytes_cell(None if size is None else 100 * size)


Table(
    "The lecture's figures, and 100 × the measured ones",
    ("", "lecture", "layers, N·(B+d) and B+N·d", "on disk"),
    [
        ("ten machines", "20 GB", hundredfold(savings.logical_bytes), hundredfold(savings.full_copies_bytes)),
        ("ten images", "2.2 GB", hundredfold(savings.unique_bytes), hundredfold(savings.disk_bytes)),
    ],
)
# %% [markdown] lang="en"
# ## The rule, and where it fails
#
# Sharing saves a factor of N·(B+d) / (B+N·d). It is near N while *d* is small. With a large *d* it is near 1: a base that is
# small beside what each image adds saves nothing.
# %% [markdown] lang="es"
# ## La regla, y dónde falla
#
# Compartir ahorra un factor N·(B+d) / (B+N·d). Está cerca de N mientras *d* es pequeño. Con un *d* grande está cerca de 1:
# una base pequeña al lado de lo que añade cada imagen no ahorra nada.
# %%
one = savings.images[0]
B, d, N = one.shared_bytes, one.unique_bytes, len(refs)
print(f"rule {N * (B + d) / (B + N * d):.2f}, measured {savings.ratio:.2f}")
shares = (0.01, 0.05, 0.1, 0.5, 1, 2)
BarChart(
    "What sharing saves: N·(B+d) / (B+N·d) for N = 10",
    [(f"d = {s:.0%} B", N * (1 + s) / (1 + N * s)) for s in shares],
    unit="×",
)
# %% [markdown] lang="en"
# The rule is about layers. The *disk* follows it only if the storage driver shares them. overlay stores each layer once.
# vfs has no layers: it stores for each of them a full copy of it and all below it. So ten images take more than ten times
# the space. Does this engine share, and what would vfs take?
# %% [markdown] lang="es"
# La regla habla de capas. El *disco* la sigue solo si el controlador de almacenamiento las comparte. overlay guarda cada
# capa una vez. vfs no tiene capas: guarda por cada una una copia entera de ella y de todo lo que tiene debajo. Por eso diez
# imágenes ocupan más de diez veces el espacio. ¿Comparte este motor? ¿Cuánto ocuparía vfs?
# %%
stacks = [engine.layers(ref) for ref in refs]
copies: dict[str, int] = {}
for stack in stacks:
    below = 0
    for layer in stack:
        below += layer.sizes.content or 0
        copies[layer.chain_id] = below
print("storage driver:", engine.info().storage_driver, "- shares layers:", savings.shares_layers)
BarChart(
    "Ten images on disk, by storage driver",
    [("overlay: each layer once", savings.unique_bytes), ("vfs: each with all below (computed)", sum(copies.values()))],
)
# %% [markdown] lang="en"
# ## Who shares what
# %% [markdown] lang="es"
# ## Quién comparte qué
# %%
sizes = {layer.chain_id: layer.sizes.content for stack in stacks for layer in stack}
engine.sharing(refs[:4]).picture(sizes)
# %% [markdown] lang="en"
# The base is drawn once, since it is stored once. Inside it:
# %% [markdown] lang="es"
# La base se dibuja una vez, porque se guarda una vez. Por dentro:
# %%
Treemap("nb-base:1", {file.path: file.size for file in engine.layers("containerkit/nb-base:1").files()})
# %% [markdown] lang="en"
# ## Memory is shared too
#
# Start a container of each of four images. All run the program of the base. *Rss* counts its pages in every process, *Pss*
# divides a page by the number of processes that map it. So Σ Pss is what is really taken: the file of the shared layer is
# in memory once, although the containers are of different images.
# %% [markdown] lang="es"
# ## También se comparte la memoria
#
# Inicia un contenedor de cada una de cuatro imágenes. Todos ejecutan el programa de la base. *Rss* cuenta sus páginas en
# cada proceso; *Pss* divide una página entre los procesos que la usan. Así, Σ Pss es lo que se ocupa de verdad: el archivo
# de la capa compartida está en memoria una sola vez, aunque los contenedores son de imágenes distintas.
# %%
boxes = [engine.start(ref, "sleep 600", network="none") for ref in refs[:4]]
texts = [box.exec("cat /proc/1/smaps_rollup", check=True).stdout for box in boxes]
sums = {
    name: sum(1024 * int(re.findall(rf"^{name}:\s+(\d+)", text, re.MULTILINE)[0]) for text in texts)
    for name in ("Rss", "Pss")
}
for box in boxes:
    box.remove(force=True)
BarChart("Memory of four containers of four images", [(f"Σ {name}", value) for name, value in sums.items()])
# %% [markdown] lang="en"
# ## What does a removal free?
#
# The list of images says 20.2 MB for each. Remove two of them, and see:
# %% [markdown] lang="es"
# ## ¿Qué libera un borrado?
#
# La lista de imágenes dice 20,2 MB para cada una. Elimina dos y mira:
# %%
engine.reclaimable(refs[:2])
# %% [markdown] lang="en"
# ## Exercises
#
# 1. How large may *d* be, in percent of *B*, so that ten images still take less than half of ten machines?
# 2. Does an eleventh name for an image cost anything? `engine.images.get(refs[0]).tag("lab/eleven:1")` gives one.
# 3. Add the *same* 200 kB to two images of `busybox:1` with `COPY`, under different file names. Are the bytes shared? Ask
#    `engine.duplicates`.
#
# The solutions are in [solutions.ipynb](solutions.ipynb).
# %% [markdown] lang="es"
# ## Ejercicios
#
# 1. ¿Qué tamaño puede tener *d*, en tanto por ciento de *B*, para que diez imágenes ocupen aún menos de la mitad que diez
#    máquinas?
# 2. ¿Cuesta algo un undécimo nombre para una imagen? `engine.images.get(refs[0]).tag("lab/eleven:1")` le da uno.
# 3. Añade con `COPY` los *mismos* 200 kB en dos imágenes de `busybox:1`, con nombres de archivo distintos. ¿Se comparten los
#    bytes? Pregunta a `engine.duplicates`.
#
# Las soluciones están en [solutions.ipynb](solutions.ipynb).
# %%
for ref in [*refs, "containerkit/nb-base:1"]:
    engine.images.remove(ref, force=True)
engine.close()
