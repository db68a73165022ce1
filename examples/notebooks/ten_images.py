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

import containerkit as ck
from containerkit.display import BarChart, Treemap
from containerkit.testing.archives import ImageBuilder

engine = ck.connect()
# %% [markdown] lang="en"
# ## The base
#
# 20 MB of random bytes, which nothing can compress, take the place of a distribution of 2 GB. Each of the ten images adds
# 200 kB.
# %% [markdown] lang="es"
# ## La base
#
# 20 MB de bytes aleatorios, que nada puede comprimir, hacen de distribución de 2 GB. Cada una de las diez imágenes añade
# 200 kB.
# %%
files = {f"usr/lib/module{n}.so": os.urandom(200_000) for n in range(80)}
files |= {f"usr/share/doc/page{n}.txt": os.urandom(20_000) for n in range(200)}
base = ImageBuilder().layer(files=files).tag("docker.io/containerkit/nb-base:1")
engine.images.load(base.to_docker_archive())
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
# %% [markdown] lang="es"
# Con una base de *B* bytes y *N* imágenes que añaden *d* cada una, la suma es N·(B+d), y las capas distintas son B+N·d. La
# tercera barra es lo que el motor ocupa de verdad en este disco. La última son diez copias completas en un disco, a la
# manera de las máquinas virtuales. (Una cifra es *unknown* si esta cuenta no puede leer los archivos del motor).
# %%
bars = [
    ("N·(B+d)", savings.logical_bytes),
    ("B+N·d", savings.unique_bytes),
    ("du", savings.disk_bytes),
    ("N·du", savings.full_copies_bytes),
]
BarChart("N = 10", bars)
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
print(f"{N * (B + d) / (B + N * d):.2f} = {savings.ratio:.2f}")
shares = (0.01, 0.05, 0.1, 0.5, 1, 2)
BarChart("N·(B+d) / (B+N·d)", [(f"d = {s:.0%} B", N * (1 + s) / (1 + N * s)) for s in shares], unit="×")
# %% [markdown] lang="en"
# The rule is about layers. The *disk* follows it only if the storage driver shares them. overlay does. vfs copies every
# layer in full, and ten images take ten times the space. Does this engine share?
# %% [markdown] lang="es"
# La regla habla de capas. El *disco* la sigue solo si el controlador de almacenamiento las comparte. overlay lo hace. vfs
# copia cada capa entera, y diez imágenes ocupan diez veces el espacio. ¿Comparte este motor?
# %%
print(engine.info().storage_driver, savings.shares_layers)
# %% [markdown] lang="en"
# ## Who shares what
# %% [markdown] lang="es"
# ## Quién comparte qué
# %%
engine.sharing(refs[:4]).picture()
# %% [markdown] lang="en"
# The base is drawn once, since it is stored once. Inside it:
# %% [markdown] lang="es"
# La base se dibuja una vez, porque se guarda una vez. Por dentro:
# %%
base_layer = engine.layers(refs[0])[0]
Treemap("nb-base:1", {file.path: file.size for file in base_layer.files() if file.type == "file"})
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
