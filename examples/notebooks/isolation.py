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
import time
from pathlib import Path
from typing import Any

import containerkit as ck
from containerkit.display import Table, UserMap
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
Table("The same questions", ("", "outside", "inside"), rows)
# %% [markdown] lang="en"
# The kernel is the only answer that is equal. Each of the others is the work of one namespace. `/proc/self/ns` lists the
# namespaces of a process. Two processes with the same number share that namespace. The last column says what each of them
# holds:
# %% [markdown] lang="es"
# El núcleo es la única respuesta igual. Cada una de las otras es obra de un espacio de nombres. `/proc/self/ns` enumera los
# de un proceso. Dos procesos con el mismo número comparten ese espacio. La última columna dice qué contiene cada uno:
# %%
script = "cd /proc/self/ns && for n in *; do echo $n $(readlink $n); done"
inside = dict(line.split() for line in engine.run("busybox:1", ["sh", "-c", script]).stdout.splitlines())
holds = {
    "uts": "host name",
    "pid": "process numbers",
    "net": "interfaces, routes, ports",
    "mnt": "mounts, so the tree of files",
    "ipc": "shared memory, semaphores",
    "cgroup": "the visible part of the cgroup tree",
    "user": "users and capabilities",
    "time": "time since boot",
}
namespaces = []
for name, what in holds.items():
    here = os.readlink(f"/proc/self/ns/{name}") if Path(f"/proc/self/ns/{name}").exists() else "?"
    shared = "shared" if here == inside.get(name) else "own"
    namespaces.append((name, here, inside.get(name, "?"), shared, what))
Table("Namespaces", ("", "outside", "inside", "the container's is", "what it holds"), namespaces)
# %% [markdown] lang="en"
# `time` is shared: **a container has the clock of its host**. `user` is shared if the engine runs as root, and then root
# inside is root outside. Every namespace can be shared by an option. One by one: what the container sees by default, and
# what it sees with the host's namespace:
# %% [markdown] lang="es"
# `time` se comparte: **un contenedor tiene el reloj de su anfitrión**. `user` se comparte si el motor corre como root, y
# entonces root dentro es root fuera. Cada espacio de nombres se puede compartir con una opción. Uno por uno: qué ve el
# contenedor por defecto y qué ve con el espacio del anfitrión:
# %%
asked = {
    "pid": ("processes", "ls -d /proc/[0-9]* | wc -l"),
    "network": ("interfaces", "ls /sys/class/net | wc -l"),
    "uts": ("host name", "hostname"),
    "ipc": ("namespace of shared memory", "readlink /proc/self/ns/ipc"),
}


def seen(command: str, **option: Any) -> str:
    try:
        return engine.run("busybox:1", ["sh", "-c", command], **option).stdout.strip()
    except ck.Unsupported:
        return "this engine refuses"


shared_one = [
    (f'{option}="host"', what, seen(command), seen(command, **{option: "host"}))
    for option, (what, command) in asked.items()
]
Table("One namespace after the other", ("option", "what is seen", "by default", "with the option"), shared_one)
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
uid_map = engine.run("busybox:1", "cat /proc/self/uid_map").stdout
print(uid_map)
UserMap(f"Who is who: {info.kind} {info.version}", uid_map, {os.getuid(): "you"} if os.getuid() else {})
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
# Who may command this engine? The report looks at the socket, its owner and its group:
# %% [markdown] lang="es"
# - Código de salida 0: el motor trabaja como root. **Quien está en el grupo `docker` es root en esta máquina.**
# - *Permission denied*: el motor es *rootless*. Su root tiene los derechos de un usuario corriente.
#
# ¿Quién puede dar órdenes a este motor? El informe mira el *socket*, su dueño y su grupo:
# %%
report = engine.check()


def found(*checks: str) -> list[tuple[str, object, str]]:
    return [(result.id, result.status, result.summary) for check in checks for result in report if result.id == check]


Table(
    "Who commands the engine",
    ("check", "status", "found"),
    found("engine-owner", "engine-rootless", "socket-permissions", "docker-group", "root-equivalence"),
)
# %% [markdown] lang="en"
# ## Capabilities
#
# Root's power is split into capabilities. An engine takes most of them away. Take all of them:
# %% [markdown] lang="es"
# ## Capacidades (*capabilities*)
#
# El poder de root está dividido en capacidades. Un motor quita la mayoría. Quítalas todas:
# %%
for cap_drop in ([], ["ALL"]):
    result = engine.run("busybox:1", ["sh", "-c", "grep CapEff /proc/self/status; chown 1 /tmp"], cap_drop=cap_drop)
    print(result.stdout.strip(), result.exit_code, result.stderr.strip())
# %% [markdown] lang="en"
# ## What is shared
#
# A container has no kernel, no clock and no devices of its own. Compare the version of the kernel, the seconds since 1970,
# and the numbers of two devices:
# %% [markdown] lang="es"
# ## Lo que se comparte
#
# Un contenedor no tiene núcleo, ni reloj, ni dispositivos propios. Compara la versión del núcleo, los segundos desde 1970 y
# los números de dos dispositivos:
# %%
lines = engine.run(
    "busybox:1", ["sh", "-c", "cat /proc/version; date +%s; stat -c %t:%T /dev/null /dev/urandom"]
).stdout
version, seconds, *devices = lines.splitlines()
numbers = [os.stat(path).st_rdev for path in ("/dev/null", "/dev/urandom")]
same: list[tuple[object, ...]] = [
    ("kernel", Path("/proc/version").read_text().strip()[:60], version[:60]),
    ("clock", int(time.time()), int(seconds)),
    ("/dev/null, /dev/urandom", [f"{os.major(n):x}:{os.minor(n):x}" for n in numbers], devices),
]
Table("Shared with the machine", ("", "outside", "inside"), same)
# %% [markdown] lang="en"
# Sharing is not the same as power over it. May a container set the clock, load a module into the kernel, read the keys of
# the host's root?
# %% [markdown] lang="es"
# Compartir no es lo mismo que mandar. ¿Puede un contenedor poner el reloj en hora, cargar un módulo en el núcleo o leer las
# claves del root del anfitrión?
# %%
Table(
    "Power over what is shared",
    ("check", "status", "found"),
    found("shared-kernel", "clock", "module-loading", "keyring", "seccomp"),
)
# %% [markdown] lang="en"
# ## Limits, by cgroups
#
# A namespace hides, a cgroup limits. One by one: memory, processes, processor time, and as a fourth the number of open
# files, which is no cgroup but an older limit of each process. If this engine cannot enforce a limit, containerkit refuses
# to start, for a limit that is only written down protects nobody:
# %% [markdown] lang="es"
# ## Límites, con cgroups
#
# Un espacio de nombres oculta, un cgroup limita. Uno por uno: memoria, procesos, tiempo de procesador y, como cuarto, el
# número de archivos abiertos, que no es un cgroup sino un límite más antiguo de cada proceso. Si este motor no puede hacer
# cumplir un límite, containerkit se niega a empezar, porque un límite que solo está escrito no protege a nadie:
# %%
trials: dict[str, tuple[str, dict[str, Any]]] = {
    "memory": (
        "dd if=/dev/zero of=/dev/null bs=100M count=1 2>/dev/null; echo exit $?",
        {"memory": "20m", "memory_swap": "20m"},
    ),
    "processes": ("for i in 1 2 3 4 5 6 7 8 9; do sleep 1 & done 2>&1; wait; echo all started", {"pids_limit": 5}),
    "processor": ("i=0; while [ $i -lt 200000 ]; do i=$((i+1)); done; echo done", {"cpus": 0.2}),
    "open files": ("ulimit -n 100 && echo raised", {"ulimits": ["nofile=32:32"]}),
}


def trial(script: str, **limit: Any) -> str:
    try:
        result = engine.run("busybox:1", ["sh", "-c", script], **limit)
    except (ck.LimitNotEnforced, ck.Unsupported) as refusal:
        return f"refused: {refusal}"
    except ck.StartFailed:  # the machine does not let this engine apply the limit
        return "cannot start"
    said = (result.stdout + result.stderr).strip().split("\n")
    return f"{said[-1] or 'exit ' + str(result.exit_code)} ({result.duration:.1f} s)"


limits = [
    (name, ", ".join(f"{key}={value}" for key, value in limit.items()), trial(script), trial(script, **limit))
    for name, (script, limit) in trials.items()
]
Table("Limits", ("what", "limit", "without", "with the limit"), limits)
# %% [markdown] lang="en"
# Exit 137 is 128 + 9: the kernel ended it with signal 9. With a fifth of a processor the same loop takes longer. Without a
# limit nothing holds, as the report says of the defaults. And the disk has no limit at all on most engines:
# %% [markdown] lang="es"
# *exit 137* es 128 + 9: el núcleo lo terminó con la señal 9. Con la quinta parte de un procesador, el mismo bucle tarda más.
# Sin límite nada aguanta, como dice el informe sobre los valores por defecto. Y el disco no tiene ningún límite en la
# mayoría de los motores:
# %%
print(engine.run("busybox:1", ["sh", "-c", "dd if=/dev/zero of=/big bs=1M count=30 2>/dev/null; wc -c /big"]).stdout)
Table(
    "Limits that hold, and limits that do not",
    ("check", "status", "found"),
    found("limits-enforced", "limits-honest", "default-limits", "default-pids-limit"),
)
# %% [markdown] lang="en"
# ## The whole report
#
# The sentences of the lecture, each with the answer of this engine. Then every check with its evidence; a line unfolds.
# %% [markdown] lang="es"
# ## El informe entero
#
# Las frases de la lección, cada una con la respuesta de este motor. Después, cada comprobación con sus pruebas; una línea se
# despliega.
# %%
Table(
    "Sentences about containers",
    ("sentence", "here", "because"),
    [(each.text, each.answer, each.because) for each in statements(report)],
)
# %%
report
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
