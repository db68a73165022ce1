# %% [markdown] lang="en"
# # Isolation
#
# **What can a container see of this machine, and who is root in it?** The kernel isolates with *namespaces* (what a process
# sees) and *cgroups* (how much it may use). Look at them one by one.
# %% [markdown] lang="es"
# # Aislamiento
#
# **¿Qué puede ver un contenedor de esta máquina, y quién es root en él?** El núcleo aísla con *espacios de nombres*
# (*namespaces*: lo que un proceso ve) y con *cgroups* (cuánto puede usar). Míralos uno por uno.
# %%
import os
import socket
from pathlib import Path

import containerkit as ck
from containerkit.display import Table
from containerkit.isolation import statements

engine = ck.connect()
info = engine.info()
print(info.kind, info.version, "rootless" if info.rootless else "rootful")
# %% [markdown] lang="en"
# ## The same questions, outside and inside
# %% [markdown] lang="es"
# ## Las mismas preguntas, fuera y dentro
# %%
questions = {
    "hostname": "hostname",
    "id -u": "id -u",
    "processes": "ls -d /proc/[0-9]* | wc -l",
    "interfaces": "ls /sys/class/net | tr '\\n' ' '",
    "files in /": "ls / | wc -l",
    "kernel": "uname -r",
}
outside = (
    socket.gethostname(),
    os.getuid(),
    len([path for path in Path("/proc").iterdir() if path.name.isdigit()]),
    " ".join(name for _, name in socket.if_nameindex()),
    len(os.listdir("/")),
    os.uname().release,
)
rows = []
for (name, command), value in zip(questions.items(), outside, strict=True):
    rows.append((name, str(value), engine.run("busybox:1", ["sh", "-c", command]).stdout.strip()))
Table("", ("", "outside", "inside"), rows)
# %% [markdown] lang="en"
# The kernel is the only answer that is equal. Each of the others is the work of one namespace. `/proc/self/ns` lists the
# namespaces of a process. Two processes with the same number share that namespace:
# %% [markdown] lang="es"
# El núcleo es la única respuesta igual. Cada una de las otras es obra de un espacio de nombres. `/proc/self/ns` enumera los
# de un proceso. Dos procesos con el mismo número comparten ese espacio:
# %%
script = "cd /proc/self/ns && for n in *; do echo $n $(readlink $n); done"
inside = dict(line.split() for line in engine.run("busybox:1", ["sh", "-c", script]).stdout.splitlines())
namespaces = []
for name in ("uts", "pid", "net", "mnt", "ipc", "cgroup", "user", "time"):
    here = os.readlink(f"/proc/self/ns/{name}") if Path(f"/proc/self/ns/{name}").exists() else "?"
    namespaces.append((name, here, inside.get(name, "?"), "=" if here == inside.get(name) else "≠"))
Table("/proc/self/ns", ("", "outside", "inside", ""), namespaces)
# %% [markdown] lang="en"
# `time` is shared: **a container has the clock of its host**. `user` is shared if the engine runs as root, and then root
# inside is root outside. Every namespace can be shared by an option. Here the container sees all processes:
# %% [markdown] lang="es"
# `time` se comparte: **un contenedor tiene el reloj de su anfitrión**. `user` se comparte si el motor corre como root, y
# entonces root dentro es root fuera. Cada espacio de nombres se puede compartir con una opción. Aquí el contenedor ve todos
# los procesos:
# %%
for pid in (None, "host"):
    print(pid, engine.run("busybox:1", ["sh", "-c", "ls -d /proc/[0-9]* | wc -l"], pid=pid).stdout.strip())
# %% [markdown] lang="en"
# ## Who is root?
#
# `uid_map` says whose number a user inside is outside. `0 0 4294967295` means: everyone is who he is. `0 1000 1` means: root
# inside is user 1000 outside, an ordinary user.
# %% [markdown] lang="es"
# ## ¿Quién es root?
#
# `uid_map` dice qué número tiene fuera un usuario de dentro. `0 0 4294967295` significa: cada uno es quien es. `0 1000 1`
# significa: root dentro es el usuario 1000 fuera, un usuario corriente.
# %%
print(engine.run("busybox:1", "cat /proc/self/uid_map").stdout)
# %% [markdown] lang="en"
# Does it matter? Whoever may use an engine may mount any folder. Try to count the bytes of the file with everybody's
# passwords. Nothing is changed or shown:
# %% [markdown] lang="es"
# ¿Importa? Quien puede usar un motor puede montar cualquier carpeta. Intenta contar los bytes del archivo con las
# contraseñas de todos. No se cambia ni se muestra nada:
# %%
engine.run("busybox:1", "wc -c /host/etc/shadow", volumes={"/": "/host:ro"}, security_opt=["label=disable"])
# %% [markdown] lang="en"
# - Exit code 0: the engine works as root. **Who is in the group `docker` is root on this machine.**
# - *Permission denied*: the engine is rootless. Its root has the rights of one ordinary user.
#
# ## Capabilities
#
# Root's power is split into capabilities. An engine takes most of them away. Take all of them:
# %% [markdown] lang="es"
# - Código de salida 0: el motor trabaja como root. **Quien está en el grupo `docker` es root en esta máquina.**
# - *Permission denied*: el motor es *rootless*. Su root tiene los derechos de un usuario corriente.
#
# ## Capacidades (*capabilities*)
#
# El poder de root está dividido en capacidades. Un motor quita la mayoría. Quítalas todas:
# %%
for cap_drop in ([], ["ALL"]):
    result = engine.run("busybox:1", ["sh", "-c", "grep CapEff /proc/self/status; chown 1 /tmp"], cap_drop=cap_drop)
    print(result.stdout.strip(), result.exit_code, result.stderr.strip())
# %% [markdown] lang="en"
# ## Limits, by cgroups
#
# A program that takes 100 MB runs into a limit of 20 MB. If this engine cannot enforce a limit, containerkit refuses to
# start, for a limit that is only written down protects nobody:
# %% [markdown] lang="es"
# ## Límites, con cgroups
#
# Un programa que toma 100 MB choca con un límite de 20 MB. Si este motor no puede hacer cumplir un límite, containerkit se
# niega a empezar, porque un límite que solo está escrito no protege a nadie:
# %%
hungry = ["sh", "-c", "dd if=/dev/zero of=/dev/null bs=100M count=1 2>/dev/null; echo $?"]
try:
    print(engine.run("busybox:1", hungry).stdout, engine.run("busybox:1", hungry, memory="20m", memory_swap="20m"))
except (ck.LimitNotEnforced, ck.Unsupported) as refusal:
    print(type(refusal).__name__, refusal)
# %% [markdown] lang="en"
# 137 is signal 9: the kernel ended it. Now the report. Each verdict comes with evidence:
# %% [markdown] lang="es"
# 137 es la señal 9: lo terminó el núcleo. Y ahora el informe. Cada veredicto trae su prueba:
# %%
report = engine.check()
report.get("container-root-uid")
# %%
Table("", ("", ""), [(each.text, each.answer) for each in statements(report)])
# %% [markdown] lang="en"
# ## Exercises
#
# 1. Find an option that makes `touch /x` fail in a container, but lets `touch /tmp/x` work.
# 2. Does `network="none"` leave any interface? Can the container still ping itself?
# 3. Run as user 1000 with `user="1000"`. Which effective capabilities does it have?
#
# The solutions are in [solutions.ipynb](solutions.ipynb).
# %% [markdown] lang="es"
# ## Ejercicios
#
# 1. Encuentra una opción con la que `touch /x` falle en un contenedor, pero `touch /tmp/x` funcione.
# 2. ¿Deja `network="none"` alguna interfaz? ¿Puede el contenedor hacerse ping a sí mismo?
# 3. Ejecuta como usuario 1000 con `user="1000"`. ¿Qué capacidades efectivas le quedan?
#
# Las soluciones están en [solutions.ipynb](solutions.ipynb).
# %%
engine.close()
