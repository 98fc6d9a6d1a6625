"""nova's and neutron's units and files on a HostTree, as their packagers lay them out."""

from fakes_host import HostTree

# What openstack-pkg-tools puts behind the head of each script, as far as it has to do with the arguments.
TAIL = """
PATH=/sbin:/usr/sbin:/bin:/usr/bin

if [ -n "${UWSGI_PORT}" ] && [ -n "${UWSGI_INI_PATH}" ] && [ -n "${UWSGI_INI_APP}" ] ; then
	if ! [ -f "${UWSGI_INI_APP}" ] ; then
		exit 0
	fi
	for i in 3 35 36 ; do
		if [ -x /usr/bin/uwsgi_python${i} ] ; then
			DAEMON=/usr/bin/uwsgi_python${i}
		fi
	done
	DAEMON_ARGS="${DAEMON_ARGS} --ini ${UWSGI_INI_PATH}"
	NO_OPENSTACK_CONFIG_FILE_DAEMON_ARG=yes
	NO_OPENSTACK_LOGFILE_DAEMON_ARG=yes
fi

if [ -z "${DAEMON}" ] ; then
	DAEMON=/usr/bin/${NAME}
fi
if [ -z "${SCRIPTNAME}" ] ; then
	SCRIPTNAME=/etc/init.d/${NAME}
fi
if [ "${SYSTEM_USER}" != "root" ] ; then
	STARTDAEMON_CHUID="--chuid ${SYSTEM_USER}:${SYSTEM_GROUP}"
fi
if [ -z "${CONFIG_FILE}" ] ; then
	CONFIG_FILE=/etc/${PROJECT_NAME}/${PROJECT_NAME}.conf
fi
LOGFILE=/var/log/${PROJECT_NAME}/${NAME}.log
if [ -z "${NO_OPENSTACK_CONFIG_FILE_DAEMON_ARG}" ] ; then
	DAEMON_ARGS="--config-file=${CONFIG_FILE} ${DAEMON_ARGS}"
fi

# Exit if the package is not installed
[ -x $DAEMON ] || exit 0

# If ran as root, create /var/lock/X, /var/run/X and /var/cache/X as needed
if [ `whoami` = "root" ] ; then
	for i in lock run cache ; do
		mkdir -p /var/$i/${PROJECT_NAME}
	done
fi
. /lib/lsb/init-functions

RET=0

[ -r /etc/default/openstack ] && . /etc/default/openstack
[ -r /etc/default/$NAME ] && . /etc/default/$NAME
[ "x$USE_SYSLOG" = "xyes" ] && DAEMON_ARGS="$DAEMON_ARGS --use-syslog"
if [ -z "${NO_OPENSTACK_LOGFILE_DAEMON_ARG}" ] ; then
	[ "x$USE_LOGFILE" != "xno" ] && DAEMON_ARGS="$DAEMON_ARGS --log-file=$LOGFILE"
fi

do_systemd_start() {
	if [ -n "${PYARGV}" ] ; then
		exec $DAEMON $DAEMON_ARGS --pyargv "${PYARGV}"
	else
		exec $DAEMON $DAEMON_ARGS
	fi
}

case "$1" in
systemd-start)
	do_systemd_start
;;
*)
	DAEMON_ARGS="never"
;;
esac
exit $RET
"""
SERVER_HEAD = """
{words}="{first}"
[ -r /usr/share/neutron-common/plugin_guess_func ] || exit 0
. /usr/share/neutron-common/plugin_guess_func
if ! [ -r /etc/neutron/neutron.conf ] ; then
	exit 0
fi
CURRENT_PLUGIN=`grep core_plugin /etc/neutron/neutron.conf`
neutron_plugin_ini_path ${{NEUTRON_PLUGIN_NAME}}
if [ -z "${{NEUTRON_PLUGIN_CONFIG}}" ] ; then
	echo "Plugin not recognized"
else
	{words}="${{{words}}} --config-file=${{NEUTRON_PLUGIN_CONFIG}}"
fi
if [ -e /etc/neutron/server.conf.d ] ; then
	{words}="--config-dir=/etc/neutron/server.conf.d ${{{words}}}"
fi
"""
DEBIAN_HEADS = {
    "nova-compute": """PROJECT_NAME=nova
NAME=${PROJECT_NAME}-compute
DAEMON_ARGS=""
if [ -f '/etc/nova/nova-compute.conf' ] ; then
	DAEMON_ARGS="--config-file=/etc/nova/nova-compute.conf"
fi
SYSTEMD_TYPE=notify
""",
    "nova-scheduler": "PROJECT_NAME=nova\nNAME=${PROJECT_NAME}-scheduler\n",
    "neutron-sriov-agent": """PROJECT_NAME=neutron
NAME=${PROJECT_NAME}-sriov-agent
DAEMON=/usr/bin/neutron-sriov-nic-agent
DAEMON_ARGS="--config-file=/etc/neutron/plugins/ml2/sriov_agent.ini"
""",
    "neutron-rpc-server": "PROJECT_NAME=neutron\nNAME=neutron-rpc-server\n"
    + SERVER_HEAD.format(words="DAEMON_ARGS", first=""),
    "neutron-api": "PROJECT_NAME=neutron\nNAME=${PROJECT_NAME}-server\nUWSGI_PORT=9696\n"
    "UWSGI_INI_PATH=/etc/neutron/neutron-api-uwsgi.ini\nUWSGI_INI_APP=/usr/bin/neutron-api\n"
    + SERVER_HEAD.format(words="PYARGV", first="--config-file=/etc/neutron/neutron.conf"),
}
_RDO = (
    "--config-file /usr/share/neutron/neutron-dist.conf --config-file /etc/neutron/neutron.conf --config-file {ini} "
    "--config-dir /etc/neutron/conf.d/common --config-dir /etc/neutron/conf.d/{name} --log-file /var/log/{name}.log"
)
RDO_COMMANDS = {
    "openstack-nova-compute": "/usr/bin/nova-compute",
    "openstack-nova-scheduler": "/usr/bin/nova-scheduler",
    "neutron-sriov-nic-agent": "/usr/bin/neutron-sriov-nic-agent "
    + _RDO.format(ini="/etc/neutron/plugins/ml2/sriov_agent.ini", name="neutron-sriov-nic-agent"),
    "neutron-server": "/usr/bin/neutron-server " + _RDO.format(ini="/etc/neutron/plugin.ini", name="neutron-server"),
}


def add_unit(tree: HostTree, name: str, command: str, *, folder: str = "lib/systemd/system") -> None:
    """A unit file."""
    user = "nova" if "nova" in name else "neutron"
    text = f"[Unit]\nDescription={name}\n[Service]\nUser={user}\nExecStart={command}\nRestart=on-failure\n"
    tree.write(f"{folder}/{name}.service", text)


def add_debian(tree: HostTree, *names: str) -> None:
    """The packages of Debian: unit, script and the files that they bring."""
    tree.write("etc/os-release", "ID=debian\n")
    for name in names:
        add_unit(tree, name, f"/etc/init.d/{name} systemd-start")
        tree.write(f"etc/init.d/{name}", f"#!/bin/sh\n{DEBIAN_HEADS[name]}#!/bin/sh\n{TAIL}")
        add_files(tree, name)
        if "api" in name or "rpc" in name:
            (tree.root / "etc/neutron/server.conf.d").mkdir(parents=True, exist_ok=True)


def add_rdo(tree: HostTree, *names: str) -> None:
    """The packages of RDO."""
    tree.write("etc/os-release", 'ID="centos"\nID_LIKE="rhel fedora"\n')
    for name in names:
        add_unit(tree, name, RDO_COMMANDS[name], folder="usr/lib/systemd/system")
        add_files(tree, name)
        if "neutron" in name:
            tree.write("usr/share/neutron/neutron-dist.conf", "[DEFAULT]\nlock_path = /var/lib/neutron/lock\n")
            tree.write("etc/neutron/plugin.ini", ML2)
            for folder in ("common", name):
                (tree.root / "etc/neutron/conf.d" / folder).mkdir(parents=True, exist_ok=True)


def add_kolla(tree: HostTree, **commands: str) -> None:
    """Containers: `nova_compute="nova-compute"`; what they copy has to be written below etc/kolla."""
    for name, command in commands.items():
        folder = name.replace("_", "-")
        words = [word for word in command.split() if word.startswith("/")] or ["/etc/nova/nova.conf"]
        files = ", ".join(
            f'{{"source": "/var/lib/kolla/config_files/{path.rpartition("/")[2]}", "dest": "{path}", "perm": "0600"}}'
            for path in words
        )
        tree.write(f"etc/kolla/{folder}/config.json", f'{{"command": "{command}", "config_files": [{files}]}}')
        add_unit(tree, f"kolla-{name}-container", f"/usr/bin/docker start -a {name}", folder="etc/systemd/system")


ML2 = "[ml2]\ntype_drivers = flat,vlan,geneve\nmechanism_drivers = openvswitch\n[ml2_type_vlan]\n"


def add_files(tree: HostTree, name: str) -> None:
    """What a package installs in /etc, unless it is there."""
    files = {"etc/nova/nova.conf": "[DEFAULT]\nlog_dir = /var/log/nova\n[pci]\n"}
    if "neutron" in name:
        files = {"etc/neutron/neutron.conf": "[DEFAULT]\ncore_plugin = ml2\n"}
        ini = "sriov_agent.ini" if "sriov" in name else "ml2_conf.ini"
        files[f"etc/neutron/plugins/ml2/{ini}"] = "[DEFAULT]\n[agent]\n" if "sriov" in name else ML2
    for path, text in files.items():
        if not (tree.root / path).exists():
            tree.write(path, text)
