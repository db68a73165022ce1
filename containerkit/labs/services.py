"""Files of the images for labs: services without systemd, and Quagga's files for FRR."""

from __future__ import annotations

__all__ = ["FILES"]

#: Starts and stops services by their init scripts, for labs that say `systemctl start frr`.
_SYSTEMCTL = """\
#!/bin/sh
# systemctl of a container without systemd: runs the init scripts of services.
action= names=
for word; do
  case $word in -*) ;; *) if [ -z "$action" ]; then action=$word; else names="$names $word"; fi ;; esac
done
case $action in
  start|stop|restart|reload|status) ;;
  is-active) action=status ;;
  enable|disable|mask|unmask|daemon-reload) exit 0 ;;
  *) echo "systemctl: $action: not possible in this container" >&2; exit 1 ;;
esac
code=0
for name in $names; do
  name=${name%.service}
  case $name in bind9) name=named ;; esac
  if [ -x "/etc/init.d/$name" ]; then "/etc/init.d/$name" "$action" || code=$?
  else echo "systemctl: no service $name" >&2; code=5; fi
done
exit $code
"""

#: Quagga's configuration files are FRR's; "frr version" asks for the defaults of Quagga's time.
_QUAGGA = """\
#!/bin/sh
# Quagga's service, by FRR with the files of /etc/quagga or /etc/zebra.
mkdir -p /var/log/quagga /var/log/zebra && chown frr:frr /var/log/quagga /var/log/zebra
for folder in /etc/quagga /etc/zebra; do
  if [ -d "$folder" ]; then
    for file in "$folder"/*; do
      [ -f "$file" ] || continue
      case $file in
        */daemons)
          # FRR has watchfrr and options of its own; Quagga's file lists the daemons
          cp -n /etc/frr/daemons /etc/frr/daemons.frr
          { cat /etc/frr/daemons.frr; grep -E '^[a-z0-9]+=(yes|no)' "$file"; } >/etc/frr/daemons ;;
        */bgpd.conf)
          { echo 'frr version 7.3'; echo 'frr defaults traditional'; cat "$file"; } >/etc/frr/bgpd.conf ;;
        *) cp "$file" /etc/frr/ ;;
      esac
    done
  fi
done
rm -f /etc/frr/frr.conf  # else FRR ignores a file for each daemon
exec /etc/init.d/frr "$@"
"""

#: path in the image -> content of an executable file
FILES = {
    "usr/local/bin/systemctl": _SYSTEMCTL,
    "etc/init.d/quagga": _QUAGGA,
    "etc/init.d/zebra": _QUAGGA,
}
