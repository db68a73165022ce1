# %% [markdown] lang="en"
# # Solutions
#
# **Did you try first?** One section for each notebook.
# %% [markdown] lang="es"
# # Soluciones
#
# **¿Lo has intentado antes?** Una sección por cuaderno.
# %%
import os
import time
from concurrent.futures import ThreadPoolExecutor

import containerkit as ck
from containerkit.labs import Lab

engine = ck.connect()
# %% [markdown] lang="en"
# ## First steps
#
# 1. Six words:
# %% [markdown] lang="es"
# ## Primeros pasos
#
# 1. Seis palabras:
# %%
print(engine.run("busybox:1", "wc -w", input="to be or not to be\n").stdout)
# %% [markdown] lang="en"
# 2. A name belongs to one container at a time:
# %% [markdown] lang="es"
# 2. Un nombre pertenece a un solo contenedor a la vez:
# %%
with engine.start("busybox:1", "sleep 60", name="nb-twin"):
    try:
        engine.start("busybox:1", "sleep 60", name="nb-twin")
    except ck.NameInUse as error:
        print(error)
# %% [markdown] lang="en"
# 3. A fraction of a second. Ten one after the other take ten times that; `ThreadPoolExecutor` makes them faster.
# %% [markdown] lang="es"
# 3. Una fracción de segundo. Diez, uno tras otro, tardan diez veces más; con `ThreadPoolExecutor` van más rápido.
# %%
began = time.monotonic()
engine.run("busybox:1", "true")
print(f"{time.monotonic() - began:.2f} s")
# %% [markdown] lang="en"
# ## Layers
#
# 1. Each container has a read-write layer of its own:
# %% [markdown] lang="es"
# ## Capas
#
# 1. Cada contenedor tiene su propia capa de escritura:
# %%
with engine.start("busybox:1", "sleep 60") as one, engine.start("busybox:1", "sleep 60") as two:
    one.write_file("/mine", "1")
    print(one.exec("ls /mine").exit_code, two.exec("ls /mine").exit_code)
# %% [markdown] lang="en"
# 2. Mode and content are parts of one file in the upper layer, so the whole file is copied up. (Kernels with *metacopy* copy
#    the attributes only.)
# %% [markdown] lang="es"
# 2. El modo y el contenido son partes de un mismo archivo en la capa de arriba; por eso se copia el archivo entero. (Los
#    núcleos con *metacopy* copian solo los atributos).
# %%
with engine.start("busybox:1", "sleep 60") as one:
    one.exec("chmod 700 /bin/busybox", check=True)
    print(one.layer_usage().content_bytes)
# %% [markdown] lang="en"
# 3. The file stays in the layer of the first `RUN`. In one `RUN` it never reaches a layer:
# %% [markdown] lang="es"
# 3. El archivo se queda en la capa del primer `RUN`. En un solo `RUN` nunca llega a una capa:
# %%
make = "dd if=/dev/urandom of=/big bs=1000 count=1000"
for steps in (f"RUN {make}\nRUN rm /big\n", f"RUN {make} && rm /big\n"):
    engine.images.build({"Dockerfile": f"FROM busybox:1\n{steps}"}, tag="lab/nb-waste:1")
    print(engine.waste("lab/nb-waste:1").wasted_bytes)
    engine.images.remove("lab/nb-waste:1", force=True)
# %% [markdown] lang="en"
# ## Ten machines or ten images
#
# 1. B+10·d < ½·10·(B+d) means 5·d < 4·B: *d* may be up to 80 % of *B*.
# 2. A name costs nothing: `engine.savings()` shows the same distinct layers.
# 3. No. The file has another path, so it is another layer, and engines share whole layers only:
# %% [markdown] lang="es"
# ## Diez máquinas o diez imágenes
#
# 1. B+10·d < ½·10·(B+d) significa 5·d < 4·B: *d* puede llegar al 80 % de *B*.
# 2. Un nombre no cuesta nada: `engine.savings()` muestra las mismas capas distintas.
# 3. No. El archivo tiene otra ruta y es, por tanto, otra capa; los motores comparten solo capas enteras:
# %%
data = bytes(range(256)) * 800
refs = ["lab/nb-same:1", "lab/nb-same:2"]
for number, ref in enumerate(refs):
    engine.images.build({"Dockerfile": f"FROM busybox:1\nCOPY data /data{number}\n", "data": data}, tag=ref)
print(engine.duplicates(refs))
for ref in refs:
    engine.images.remove(ref, force=True)
# %% [markdown] lang="en"
# ## Containers are light
#
# 1. The engine works on several at once, and it gets no faster beyond about as many threads as there are processors:
# %% [markdown] lang="es"
# ## Los contenedores son ligeros
#
# 1. El motor trabaja en varios a la vez, y no va más rápido con muchos más hilos que procesadores:
# %%
boxes: list[ck.Container] = []
for threads in (1, 2, 4, 8):
    began = time.monotonic()
    with ThreadPoolExecutor(threads) as pool:
        boxes += pool.map(lambda _: engine.start("busybox:1", "sleep 600", network="none"), range(4))
    print(f"{threads} threads: {time.monotonic() - began:.2f} s for 4 containers; {os.cpu_count()} processors")
# %% [markdown] lang="en"
# 2. The read-write layer grows by 5 MB. The image does not change.
# %% [markdown] lang="es"
# 2. La capa de escritura crece 5 MB. La imagen no cambia.
# %%
boxes[0].exec("dd if=/dev/zero of=/zeros bs=1M count=5", check=True)
print(boxes[0].layer_usage().content_bytes, engine.layers("busybox:1").sizes.content)
# %% [markdown] lang="en"
# 3. The pages of the program are counted once in every sum. One more container adds its private pages: stack and variables.
# %% [markdown] lang="es"
# 3. Las páginas del programa cuentan una vez en cada suma. Un contenedor más añade sus páginas privadas: pila y variables.
# %%
for box in boxes[:3]:
    print(box.exec("grep Private_Dirty /proc/1/smaps_rollup").stdout.strip())
for box in boxes:
    box.remove(force=True)
# %% [markdown] lang="en"
# ## Isolation
#
# 1. `read_only=True`, with `tmpfs` for a folder that may be written to:
# %% [markdown] lang="es"
# ## Aislamiento
#
# 1. `read_only=True`, con `tmpfs` para una carpeta en la que se pueda escribir:
# %%
for path in ("/x", "/tmp/x"):
    print(path, engine.run("busybox:1", ["touch", path], read_only=True, tmpfs=["/tmp"]).exit_code)
# %% [markdown] lang="en"
# 2. `lo` is left, and answers:
# %% [markdown] lang="es"
# 2. Queda `lo`, y responde:
# %%
print(engine.run("busybox:1", ["sh", "-c", "ls /sys/class/net; wget -O - http://127.0.0.1/"], network="none"))
# %% [markdown] lang="en"
# *Connection refused* is an answer: the packet arrived, and no server listens.
#
# 3. None: capabilities belong to root. A process that is not root starts without effective ones.
# %% [markdown] lang="es"
# *Connection refused* es una respuesta: el paquete llegó, pero ningún servidor escucha.
#
# 3. Ninguna: las capacidades son de root. Un proceso que no es root empieza sin capacidades efectivas.
# %%
print(engine.run("busybox:1", "grep CapEff /proc/self/status", user="1000").stdout)
# %% [markdown] lang="en"
# ## A network lab
#
# 1. Each router needs a route to the network that it is not connected to, and the hosts need none but their default:
# %% [markdown] lang="es"
# ## Un laboratorio de redes
#
# 1. Cada enrutador necesita una ruta a la red a la que no está conectado; los equipos, solo la de por defecto:
# %%
lab = Lab(engine, image="busybox:1")
lab.add("pc1", {"A": "10.0.1.2/24"}, gateway="10.0.1.1")
lab.add("r1", {"A": "10.0.1.1/24", "B": "10.0.2.1/24"}, routes={"10.0.3.0/24": "10.0.2.3"}, router=True)
lab.add("r2", {"B": "10.0.2.3/24", "C": "10.0.3.1/24"}, routes={"10.0.1.0/24": "10.0.2.1"}, router=True)
lab.add("pc3", {"C": "10.0.3.2/24"}, gateway="10.0.3.1")
with lab:
    print(lab.up().ping_all())
# %% [markdown] lang="en"
# 2. `pc2` reaches everyone in `A`, who are on its wire, and nobody behind the router. Answers to pings from there get lost
#    too: they would have to pass the wrong gateway.
# 3. `InvalidLab` names the host and what is missing, before anything is started:
# %% [markdown] lang="es"
# 2. `pc2` llega a todos los de `A`, que están en su cable, y a nadie detrás del enrutador. También se pierden las respuestas
#    a los pings que vienen de allí: tendrían que pasar por la puerta de enlace equivocada.
# 3. `InvalidLab` nombra el equipo y lo que falta, antes de iniciar nada:
# %%
try:
    Lab(engine).add("pc1", {"A": "10.0.1.2"})
except ck.InvalidLab as error:
    print(error)
# %%
engine.close()
