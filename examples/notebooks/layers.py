# %% [markdown] lang="en"
# # Layers
#
# **Where is a file that you write in a container, and where is a file that you delete?** An image is a stack of read-only
# layers. A container adds one layer on top, the only one that can be written to. Here you see that layer from outside
# while the container changes it.
# %% [markdown] lang="es"
# # Capas
#
# **¿Dónde está un archivo que escribes en un contenedor, y dónde uno que borras?** Una imagen es una pila de capas de solo
# lectura. Un contenedor añade una encima, la única en la que se puede escribir. Aquí ves esa capa desde fuera mientras el
# contenedor la cambia.
# %%
import re

import containerkit as ck
from containerkit.display import Table

engine = ck.connect()
dockerfile = """
FROM busybox:1
RUN dd if=/dev/urandom of=/data bs=1000 count=1000
RUN echo draft > /message
RUN echo final > /message
"""
engine.images.build({"Dockerfile": dockerfile}, tag="lab/layers:1")
stack = engine.layers("lab/layers:1")
stack
# %% [markdown] lang="en"
# Each instruction that changes files made one layer. A layer holds only what its instruction changed:
# %% [markdown] lang="es"
# Cada instrucción que cambia archivos hizo una capa. Una capa guarda solo lo que su instrucción cambió:
# %%
Table(
    "Files of the upper three layers",
    ("layer", "bytes", "files"),
    [
        (layer.index, layer.sizes.content, [file.path for file in layer.files() if file.type == "file"])
        for layer in stack[-3:]
    ],
)
# %% [markdown] lang="en"
# ## Where does a file come from?
#
# `/message` is in two layers. The upper one hides the lower one. `blame` names the layer that a container sees:
# %% [markdown] lang="es"
# ## ¿De dónde viene un archivo?
#
# `/message` está en dos capas. La de arriba tapa a la de abajo. `blame` dice qué capa ve un contenedor:
# %%
print(engine.run("lab/layers:1", "cat /message").stdout, end="")
origins = [(path, stack.blame(path)) for path in ("/message", "/data", "/bin/sh")]
Table(
    "Where a file comes from",
    ("path", "layer", "instruction"),
    [(path, layer.index, layer.created_by) for path, layer in origins],
)
# %% [markdown] lang="en"
# ## The read-write layer
#
# The kernel joins the layers with *overlayfs*. The container's table of mounts names every folder: `lowerdir` are the
# read-only layers, `upperdir` is the read-write layer.
# %% [markdown] lang="es"
# ## La capa de lectura y escritura
#
# El núcleo une las capas con *overlayfs*. La tabla de montajes del contenedor nombra cada carpeta: `lowerdir` son las capas
# de solo lectura, `upperdir` es la de lectura y escritura.
# %%
box = engine.start("lab/layers:1", "sleep 600")
mounts = box.exec("cat /proc/self/mountinfo", check=True).stdout
found = re.search(r"upperdir=([^,\s]+)", mounts)
folder = found[1] if found else None
print(folder)
# %% [markdown] lang="en"
# (`None` is printed if the engine uses another storage driver: `engine.info().storage_driver`. Then `box.diff()` below
# still shows the changes.)
#
# A second container can mount that folder and look into it while the first one works:
# %% [markdown] lang="es"
# (Se imprime `None` si el motor usa otro controlador de almacenamiento: `engine.info().storage_driver`. También entonces
# `box.diff()` muestra los cambios más abajo).
#
# Un segundo contenedor puede montar esa carpeta y mirar dentro mientras el primero trabaja:


# %%
def look() -> None:
    if folder:
        volumes = {folder: "/upper:ro"}
        paths = ["/upper/data", "/upper/message", "/upper/new"]
        print(engine.run("busybox:1", ["ls", "-l", *paths], volumes=volumes, security_opt=["label=disable"]).stdout)


look()
box.write_file("/new", "1\n")
look()
# %% [markdown] lang="en"
# Before the write none of the three files was there. Now `new` is, and only in this container.
#
# ## Copy-on-write
#
# Append one byte to `/data`. The file belongs to a read-only layer. So the kernel first copies **the whole file** up:
# %% [markdown] lang="es"
# Antes de escribir no estaba ninguno de los tres archivos. Ahora está `new`, y solo en este contenedor.
#
# ## Copia al escribir (*copy-on-write*)
#
# Añade un byte a `/data`. El archivo pertenece a una capa de solo lectura. Por eso el núcleo copia primero hacia arriba
# **el archivo entero**:
# %%
box.exec(["sh", "-c", "printf x >> /data"], check=True)
look()
box.layer_usage()
# %% [markdown] lang="en"
# One byte took a megabyte. The next byte takes nothing, as the file is already there. For files that change often, such as
# those of a database, use a volume: it is no layer, and nothing is copied.
#
# ## A whiteout
#
# A file of a read-only layer cannot be deleted. Delete `/message` and look:
# %% [markdown] lang="es"
# Un byte ocupó un megabyte. El siguiente no ocupa nada, pues el archivo ya está ahí. Para archivos que cambian a menudo,
# como los de una base de datos, usa un volumen: no es una capa y no se copia nada.
#
# ## Una marca de borrado (*whiteout*)
#
# Un archivo de una capa de solo lectura no se puede borrar. Borra `/message` y mira:
# %%
box.exec("rm /message", check=True)
look()
print(box.exec("cat /message").stderr, end="")
box.diff()
# %% [markdown] lang="en"
# In the upper layer `message` is now a device `0, 0`: a whiteout. It hides the file below. The image did not change, and
# another container still sees it:
# %% [markdown] lang="es"
# En la capa de arriba, `message` es ahora un dispositivo `0, 0`: una marca de borrado. Tapa el archivo de abajo. La imagen
# no ha cambiado, y otro contenedor lo sigue viendo:
# %%
print(engine.run("lab/layers:1", "cat /message").stdout, end="")
# %% [markdown] lang="en"
# ## A layer of an image is a frozen read-write layer
#
# `commit` makes the upper layer read-only and names the result. This is what a build does after each instruction. In an
# image, the whiteout is a file called `.wh.message`:
# %% [markdown] lang="es"
# ## Una capa de una imagen es una capa de escritura congelada
#
# `commit` convierte la capa de arriba en una de solo lectura y da nombre al resultado. Es lo que hace una construcción
# después de cada instrucción. En una imagen, la marca de borrado es un archivo llamado `.wh.message`:
# %%
box.commit("lab/layers:2")
top = engine.layers("lab/layers:2")[-1]
print(sorted((file.path, file.type) for file in top.files() if file.path in ("/data", "/message", "/new")))
engine.waste("lab/layers:2")
# %% [markdown] lang="en"
# Nobody sees the old `/data` and the old `/message`, but every pull transfers them.
#
# ## Exercises
#
# 1. Start two containers of `lab/layers:1` and write a file in one. Prove that the other does not see it.
# 2. `chmod 600 /data` changes no content. How many bytes are in the read-write layer afterwards, and why?
# 3. Build an image that creates a file of 1 MB and deletes it in the next `RUN`. What is its waste? Write it as one `RUN`.
#
# The solutions are in [solutions.ipynb](solutions.ipynb).
# %% [markdown] lang="es"
# Nadie ve el antiguo `/data` ni el antiguo `/message`, pero cada descarga los transfiere.
#
# ## Ejercicios
#
# 1. Inicia dos contenedores de `lab/layers:1` y escribe un archivo en uno. Demuestra que el otro no lo ve.
# 2. `chmod 600 /data` no cambia el contenido. ¿Cuántos bytes hay después en la capa de escritura, y por qué?
# 3. Construye una imagen que cree un archivo de 1 MB y lo borre en el `RUN` siguiente. ¿Cuánto desperdicia? Escríbelo en un
#    solo `RUN`.
#
# Las soluciones están en [solutions.ipynb](solutions.ipynb).
# %%
box.remove(force=True)
for ref in ("lab/layers:2", "lab/layers:1"):
    engine.images.remove(ref, force=True)
engine.close()
