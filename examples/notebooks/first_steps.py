# %% [markdown] lang="en"
# # First steps
#
# **Is a container a small virtual machine?** Run one, look at it from the inside and from the outside, and decide.
#
# You need a running Docker or Podman (or a `podman` program). The notebook takes a few seconds and removes all that it
# creates.
# %% [markdown] lang="es"
# # Primeros pasos
#
# **¿Un contenedor es una máquina virtual pequeña?** Ejecuta uno, míralo por dentro y por fuera, y decide.
#
# Necesitas Docker o Podman en marcha (o el programa `podman`). El cuaderno tarda unos segundos y borra todo lo que crea.
# %%
import platform

import containerkit as ck
from containerkit.display import Table

engine = ck.connect()
engine
# %% [markdown] lang="en"
# ## Run a command
#
# `run` creates a container from the image `busybox:1`, runs the command to its end and removes the container. It takes the
# options of `docker run`.
# %% [markdown] lang="es"
# ## Ejecutar una orden
#
# `run` crea un contenedor a partir de la imagen `busybox:1`, ejecuta la orden hasta el final y elimina el contenedor.
# Acepta las opciones de `docker run`.
# %%
engine.run("busybox:1", "echo hello")
# %% [markdown] lang="en"
# Errors have their own stream, and a command ends with an exit code, as in any terminal:
# %% [markdown] lang="es"
# Los errores salen por su propio flujo, y una orden termina con un código de salida, como en cualquier terminal:
# %%
engine.run("busybox:1", ["sh", "-c", "echo out; echo err >&2; exit 3"])
# %% [markdown] lang="en"
# ## Whose kernel is it?
#
# A virtual machine boots a kernel of its own. Ask the container for its kernel, and then ask Python on this machine:
# %% [markdown] lang="es"
# ## ¿De quién es el núcleo?
#
# Una máquina virtual arranca su propio núcleo (*kernel*). Pregunta al contenedor por el suyo y después a Python en esta
# máquina:
# %%
inside = engine.run("busybox:1", "uname -r").stdout.strip()
print(inside, platform.release(), inside == platform.release())
# %% [markdown] lang="en"
# They are the same if the engine runs on this machine: **a container has no kernel**. (Docker Desktop runs its engine in a
# virtual machine, and all containers use the kernel of that machine.)
#
# ## A container is a process
#
# `start` leaves a container running. Its main process is number 1 inside. The kernel knows it by another number:
# %% [markdown] lang="es"
# Son iguales si el motor corre en esta máquina: **un contenedor no tiene núcleo**. (Docker Desktop ejecuta su motor en una
# máquina virtual, y todos los contenedores usan el núcleo de esa máquina).
#
# ## Un contenedor es un proceso
#
# `start` deja un contenedor en marcha. Dentro, su proceso principal es el número 1. El núcleo lo conoce por otro número:
# %%
box = engine.start("busybox:1", "sleep 300")
print(box.exec("ps").stdout)
print("PID:", box.inspect()["State"]["Pid"])
# %% [markdown] lang="en"
# `exec` started `ps` as a second process in the same container. So a container is **a group of processes that see a system
# of their own**. When the main process ends, the container ends:
# %% [markdown] lang="es"
# `exec` inició `ps` como segundo proceso en el mismo contenedor. Un contenedor es, pues, **un grupo de procesos que ven un
# sistema propio**. Cuando termina el proceso principal, termina el contenedor:
# %%
print(box.status)
box.kill()
print(box.wait(), box.refresh().status)
# %% [markdown] lang="en"
# 137 = 128 + 9: signal 9 (`SIGKILL`) ended it.
#
# ## What is kept, and what is not
#
# A stopped container keeps its files. A removed container does not, and a new one starts from the image again:
# %% [markdown] lang="es"
# 137 = 128 + 9: lo terminó la señal 9 (`SIGKILL`).
#
# ## Qué se conserva y qué no
#
# Un contenedor detenido conserva sus archivos. Uno eliminado no, y uno nuevo parte otra vez de la imagen:
# %%
box.start()
box.write_file("/notes", "42\n")
box.restart(timeout=0)
print(box.read_file("/notes").decode(), end="")
box.remove(force=True)
print(engine.run("busybox:1", "cat /notes"))
# %% [markdown] lang="en"
# ## `alias docker=podman`
#
# Docker is a service that runs all the time, usually as root. Podman needs no service, and an ordinary user can run it.
# Images and commands are the same. These engines answer on this machine:
# %% [markdown] lang="es"
# ## `alias docker=podman`
#
# Docker es un servicio que corre siempre, normalmente como root. Podman no necesita un servicio, y puede usarlo un usuario
# corriente. Las imágenes y las órdenes son las mismas. Estos motores responden en esta máquina:
# %%
rows = []
for url in dict.fromkeys(endpoint.url for endpoint in ck.discover() if endpoint.reachable):
    with ck.connect(url) as other:
        info = other.info()
        rows.append((info.kind, info.version, info.rootless, other.run("busybox:1", "echo hello").stdout.strip()))
Table("alias docker=podman", ("engine", "version", "rootless", "echo hello"), rows)
# %% [markdown] lang="en"
# ## Exercises
#
# 1. Count the words of `to be or not to be` with `wc -w` in a container. Give it the text by `input=`.
# 2. Start two containers with the same `name=`. Which error do you get, and what does it advise?
# 3. How long does `engine.run("busybox:1", "true")` take? And ten of them?
#
# The solutions are in [solutions.ipynb](solutions.ipynb).
# %% [markdown] lang="es"
# ## Ejercicios
#
# 1. Cuenta las palabras de `to be or not to be` con `wc -w` en un contenedor. Dale el texto con `input=`.
# 2. Inicia dos contenedores con el mismo `name=`. ¿Qué error obtienes y qué te aconseja?
# 3. ¿Cuánto tarda `engine.run("busybox:1", "true")`? ¿Y diez?
#
# Las soluciones están en [solutions.ipynb](solutions.ipynb).
# %%
engine.close()
