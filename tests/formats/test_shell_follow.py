"""Scripts as they are found: what they write, with which values, and what is left open."""

import pytest

from sriov_bootstrap.formats.kernel_number import kernel_number
from sriov_bootstrap.formats.shell import UNKNOWN, ScriptSurroundings, follow, is_one_command
from sriov_bootstrap.formats.shell_arithmetic import evaluate
from sriov_bootstrap.formats.shell_files import ScriptFiles

NUMVFS = "/device/sriov_numvfs"
NET = "/sys/class/net"
A = f"/sys/class/net/ens1f0{NUMVFS}"
B = f"/sys/class/net/ens1f1{NUMVFS}"
ANY = f"/sys/class/net/{UNKNOWN}{NUMVFS}"
LISTED = f"{UNKNOWN}/sriov_numvfs"
X = f"/sys/class/net/$x{NUMVFS}"


def told(text: str, around: ScriptSurroundings | None = None) -> list[tuple[str, str, str]]:
    """Path, numbers, and `?` where it is not certain that it is written."""
    reading = follow(text, around or ScriptSurroundings())
    return [
        (
            "|".join(write.paths),
            "|".join("?" if kernel_number(number) is None else number.strip() for number in write.numbers),
            "?" if write.is_conditional else "",
        )
        for write in reading.writes
    ]


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        # -- values --
        (f'N="8"; N+=0; echo $N > {A}', [(A, "80", "")]),
        (f"echo ${{N:-8}} > {A}", [(A, "8", "")]),
        (f"N=4; echo ${{N:-8}} > {A}", [(A, "4", "")]),
        (f"N=; echo ${{N-8}}4 > {A}", [(A, "4", "")]),
        (f"N=1; echo ${{N:+8}} > {A}; echo ${{M:+8}}2 > {B}", [(A, "8", ""), (B, "2", "")]),
        (f"echo ${{N:?}} > {A}", [(A, "?", "")]),
        (f"echo ${{1:-8}} > {A}", [(A, "?|8", "")]),
        (f"N=$1; echo $N > {A}", [(A, "?", "")]),
        (f"P=ens1f0:8; echo ${{P#*:}} > /sys/class/net/${{P%%:*}}{NUMVFS}", [(A, "8", "")]),
        (
            f"F={A}; echo 8 > ${{F%/*}}/sriov_numvfs; echo 4 > /sys/class/net/${{F##*/net/}}",
            [(A, "8", ""), (A, "4", "")],
        ),
        (f"P=$(x); echo 8 > /sys/class/net/${{P%:*}}{NUMVFS}", [(ANY, "8", "")]),
        (
            f"P=ens1f0; echo ${{#P}} > {A}; echo ${{#Q}} > {B}; echo ${{P/f/g}} > {B}",
            [(A, "6", ""), (B, "?", ""), (B, "?", "")],
        ),
        (f"N=8; M=N; echo ${{!M}} > {A}", [(A, "8", "")]),
        (f"echo ${{%}} ${{}} > {A}; echo $ > {B}", [(A, "?", ""), (B, "?", "")]),
        (f"echo $((2 * (3 + 1) % 5)) > {A}; echo $((x + 1)) > {B}", [(A, "3", ""), (B, "?", "")]),
        (f"let N=4*2; ((M=N/2)); ((M++)); echo $N$M > {A}", [(A, "85", "")]),
        (f"((N > 1)) && echo 8 > {A}", [(A, "8", "?")]),
        (f"unset N; N=8; unset N; echo $N > {A}", [(A, "?", "")]),
        (f"A=({'ens1f0'} ens1f1); for x in ${{A[@]}}; do echo 8 > {X}; done", [(A, "8", ""), (B, "8", "")]),
        (
            f"A=(); A+=(ens1f0); A[1]=ens1f1; echo 8 > {NET}/${{A[1]}}{NUMVFS}; echo 4 > {NET}/$A{NUMVFS}",
            [(B, "8", ""), (A, "4", "")],
        ),
        (
            f"declare -A V=([ens1f0]=8); V[ens1f1]=4; for x in ${{!V[@]}}; do echo ${{V[$x]}} > {X}; done",
            [(A, "8", ""), (B, "4", "")],
        ),
        (f"V[$1]=8; echo ${{#V[@]}} > {A}; echo ${{V[$1]}} > {A}", [(A, "?", ""), (A, "8", "")]),
        (f"readonly -a N=8; typeset -x P=ens1f1; echo $N > /sys/class/net/$P{NUMVFS}", [(B, "8", "")]),
        (
            f"P=/sys/class/net/IF{NUMVFS}; echo 8 > ${{P/IF/ens1f0}}; echo 4 > ${{P//IF/ens1f1}}",
            [(A, "8", ""), (B, "4", "")],
        ),
        (
            f"P=ENS1F0; echo 8 > {NET}/${{P,,}}{NUMVFS}; P=xens1f1; echo 4 > {NET}/${{P:1}}{NUMVFS}",
            [(A, "8", ""), (B, "4", "")],
        ),
        (f"P={A}; echo 8 > ${{P/[x]/y}}; echo 4 > ${{P@Q}}", [(LISTED, "8", ""), (LISTED, "4", "")]),
        (f"P=IF; echo 8 > {NET}/${{P/#IF/ens1f0}}{NUMVFS}; P=x$1; echo 4 > ${{P/x/y}}", [(A, "8", "")]),
        (
            f"P=enx; N=xx8; echo ${{N:2:1}} > {NET}/${{P/%x/s1f0}}{NUMVFS}; N=8xx; echo ${{N: 0:-2}} > {B}",
            [(A, "8", ""), (B, "8", "")],
        ),
        (
            f"N=x8; echo ${{N: -1}} > {A}; N=8; echo ${{N/#9/4}} > {B}; echo ${{N/%9/4}} > {B}",
            [(A, "8", ""), (B, "8", ""), (B, "8", "")],
        ),
        (f"N=8; echo ${{N//}} > {A}; printf %s{'x' * 80} {'8 ' * 60}> {B}", [(A, "?", ""), (B, "?", "")]),
        (f"P=$(sed 's/x*/y/' <<< {A}); echo 8 > $P; P=$(echo {A} | rev); echo 8 > $P", [(LISTED, "8", "")]),
        (f"P=$(sed s/x/y/ <<< {A}); echo 8 > $P", [(A, "8", "")]),
        ("P=$(find /sys -name sriov_numvfs | sort | tail -1); echo 8 > $P", [(LISTED, "8", "")]),
        (f"P=$(ls {NET}/*{NUMVFS} | head -1); echo 8 > $P", [(LISTED, "8", "")]),
        (f"P=$(ls {NET}/*{NUMVFS} | awk 'NR==1{{print $1}}'); echo 8 > $P", [(LISTED, "8", "")]),
        (f"printf -v P {NET}/%s{NUMVFS} ens1f0; echo 8 > $P", [(A, "8", "")]),
        (f"echo 8 > {NET}/ens1f0/device/sriov_num*; echo 8 > {NET}/ens1f0/device/sriov_nut*", [(A, "8", "")]),
        (
            f"A=(/x {A}); echo 8 > ${{A[-1]}}; i=1; echo 4 > ${{A[i]}}; echo 2 > ${{A[$y]}}",
            [(A, "8", ""), (A, "4", ""), (LISTED, "2", "")],
        ),
        (
            f"A=(ens1f0 ens1f1); for ((i=0; i<${{#A[@]}}; i++)); do echo 8 > {NET}/${{A[$i]}}{NUMVFS}; done",
            [(A, "8", ""), (B, "8", "")],
        ),
        (
            f"f() {{ local -n v=$1; echo 4 > {NET}/${{v[0]}}{NUMVFS}; }}; W=(ens1f1); f W",
            [(B, "4", "")],
        ),
        (
            f"P={A}; declare -n r=P s=s t=$x; echo 8 > $r",
            [(A, "8", "")],
        ),
        (
            f"mapfile -t L <<< 'ens1f0 8'; for l in \"${{L[@]}}\"; do set -- $l; echo $2 > {NET}/$1{NUMVFS}; done",
            [(A, "8", "")],
        ),
        (
            "readarray L < <(find /sys/bus/pci/devices -name sriov_numvfs); for l in ${L[@]}; do echo 8 > $l; done",
            [(LISTED, "8", "")],
        ),
        (f"mapfile <<< {A}; echo 8 > ${{MAPFILE[0]}}", [(A, "8", "")]),
        (f"set -- a b 8; shift 2; echo $1 > {A}; shift $x; echo $1 > {B}", [(A, "8", ""), (B, "?", "")]),
        (
            f"printf '%s %s\\n' ens1f0 8 ens1f1 4 | while read d n; do echo $n > {NET}/$d{NUMVFS}; done",
            [(A, "8", ""), (B, "4", "")],
        ),
        (f"P=$(ls {NET} | grep ens | head -n1); echo 8 > {NET}/$P{NUMVFS}", [(ANY, "8", "")]),
        (f"for x in $(ls {NET} | grep ens); do echo 8 > {X}; done", [(ANY, "8", "")]),
        (f"[ $(id -u) -ne 0 ] && exit; [ $(whoami) = root ] || exit; ((EUID == 0)); echo 8 > {A}", [(A, "8", "")]),
        (f"if [ $EUID -ne 0 ]; then exit 1; fi; echo 8 > {A}", [(A, "8", "")]),
        (
            f"W=([ens1f0]=8); f() {{ local -n m=$1; for x in ${{!m[@]}}; do echo ${{m[$x]}} > {X}; done; }}; f W",
            [(A, "8", "")],
        ),
        # -- what is put out --
        (f"echo -n 8 > {A}; echo -e '8\\t' > {A}; echo '8\\n' > {B}", [(A, "8", ""), (A, "?", ""), (B, "?", "")]),
        (
            f"printf '%d%%' 8 > {A}; printf '%s' > {B}; printf %d x > {B}; printf > {A}",
            [(A, "?", ""), (B, "?", ""), (B, "?", ""), (A, "?", "")],
        ),
        (
            f"printf '8\\n' > {A}; printf '%i' 0x8 > {B}; printf '%s' 8 9 > {B}; printf %x 8 > {A}",
            [(A, "8", ""), (B, "8", ""), (B, "89", ""), (A, "?", "")],
        ),
        (f"cat /etc/vfs > {A}; cat <<< 8 > {B}; yes | cat > {A}", [(A, "?", ""), (B, "8", ""), (A, "?", "")]),
        (f"(echo 8) > {A}; {{ :; echo 4; }} | tee {B}", [(A, "8", ""), (B, "4", "")]),
        (f"{{ echo 8; echo 4; }} > {A}", [(A, "?", "")]),
        (f"if grep -q x y; then echo 8; else echo 4; fi | tee {A}", [(A, "8|4", "")]),
        (f"case $1 in a) echo 8;; *) echo 4;; esac | cat > {A}", [(A, "8|4", "")]),
        (
            f"echo 8 | dd of={A}; dd if=/etc/x of={B}; echo 4 | sort | uniq | tee -a {B}",
            [(A, "8", ""), (B, "?", ""), (B, "4", "")],
        ),
        (f"N=$(echo 8); M=`printf 4`; echo $N > {A}; echo $M > {B}", [(A, "8", ""), (B, "4", "")]),
        (f"N=$(cat /sys/class/net/ens1f0/device/sriov_totalvfs); echo $N > {A}", [(A, "?", "")]),
        (f"cat <<'EOF' | tee {A}\n8\nEOF\ntee {B} <<EOF\n$(echo 4)\nEOF", [(A, "8", ""), (B, "4", "")]),
        (f"echo 8 2>/dev/null 1>{A} 2>&1; echo 8 2>{B}", [(A, "8", "")]),
        (f"install -m 644 /etc/n {A}; cp", [(A, "?", "")]),
        (f"for i in $(seq 0 1); do echo 8 > /sys/class/net/ens1f$i{NUMVFS}; done", [(A, "8", ""), (B, "8", "")]),
        (
            f"for i in $(seq 1 -1 0) $(seq x) $(seq 0 5 1) $(seq 0 999); do echo $i > {A}; done",
            [(A, "?", ""), (A, "?", ""), (A, "0", ""), (A, "?", "")],
        ),
        ("for f in $(ls -d /sys/class/net/ens1f0/device); do echo 8 > $f/sriov_numvfs; done", [(A, "8", "")]),
        (
            f"for x in $(ls /sys/class/net); do echo 8 > {X}; done; for x in $(ls /etc); do echo 8 > {X}; done",
            [(f"/sys/class/net/*{NUMVFS}", "8", ""), (ANY, "8", "")],
        ),
        (
            f"D=$(dirname {A}); echo 8 > $(readlink -f $D)/$(basename {A}); echo 4 > $(dirname x)/sriov_numvfs",
            [(A, "8", ""), ("./sriov_numvfs", "4", "")],
        ),
        ("cd /sys/class/net/ens1f0/device && echo 8 > $(pwd)/sriov_numvfs", [(A, "8", "")]),
        (
            "find /sys/class/net/ens1f0/device/ -name sriov_numvfs -print | while read f; do echo 8 > $f; done",
            [(A, "8", "")],
        ),
        ("for f in $(list sriov_numvfs /x/sriov_numvfs); do echo 8 > $f; done", [(LISTED, "8", "")]),
        ("find /sys -name sriov_numvfs -exec sh -c 'echo 8 > {}' \\;", [(LISTED, "8", "")]),
        ("find /sys -name sriov_numvfs -exec sh -c 'echo 8 > $1' _ {} \\;", [(LISTED, "8", "")]),
        ("find /etc -name x | while read f; do echo 8 > $f; done; while read f; do echo 8 > $f; done", []),
        # -- loops --
        (f"for ((i=0; i<=1; i++)); do echo 8 > /sys/class/net/ens1f$i{NUMVFS}; done", [(A, "8", ""), (B, "8", "")]),
        (
            f"for ((i=$1; i<2; i++)); do echo 8 > /sys/class/net/ens1f$i{NUMVFS}; done",
            [(A.replace("f0", f"f{UNKNOWN}"), "8", "")],
        ),
        (
            f"for ((;;)); do echo 8 > {A}; done; for ((i=1;i>0;i--)); do echo 4 > {B}; done",
            [(A, "8", ""), (B, "4", "")],
        ),
        (
            f"i=0; until [ $i -ge 2 ]; do echo 8 > /sys/class/net/ens1f$i{NUMVFS}; i=$((i+1)); done",
            [(A, "8", ""), (B, "8", "")],
        ),
        (f"i=0; while [ $i -lt 9999 ]; do echo $i > {A}; let i=i+1; done", [(A, "?", "")]),
        (f"while true; do N=8; echo $N > {A}; exit; done", [(A, "8", "")]),
        (f"for x in ens1f0 ens1f1; do [ $x = ens1f1 ] && continue; echo 8 > {X}; done", [(A, "8", "")]),
        (
            f"for x in ens1f0 ens1f1; do echo 8 > {X}; break; done; for x in a; do exit; done; echo 8 > {B}",
            [(A, "8", ""), (B, "8", "")],
        ),
        (f"while read -r x n; do echo $n > {X}; done <<EOF\nens1f0 8\nens1f1 4\nEOF", [(A, "8", ""), (B, "4", "")]),
        (f"while IFS=: read x n; do echo $n > {X}; exit; done <<< ens1f0:8", [(A, "8", "")]),
        (
            f"echo ens1f0 8 | while read x n; do echo $n > {X}; done; read y <<< ens1f1; echo 4 > {NET}/$y{NUMVFS}",
            [(A, "8", ""), (B, "4", "")],
        ),
        (
            f"while read x; do echo 8 > {X}; done < <(ls {NET}/); read < /x; select x in ens1f0; do echo 8 > {X}; done",
            [(f"/sys/class/net/*{NUMVFS}", "8", ""), (A, "8", "")],
        ),
        # -- conditions --
        (f"N=8; if [ $N -gt 4 ]; then echo $N > {A}; else echo 4 > {A}; fi", [(A, "8", "")]),
        (f"N=8; if [ $N -eq 4 ]; then echo 4 > {A}; elif [[ $N == 8 ]]; then echo $N > {A}; fi", [(A, "8", "")]),
        (f'[ -z "$N" ] && N=8; echo $N > {A}', [(A, "8|?", "")]),
        (f'N=8; [ -n "$N" ] && [ "$N" != 4 ] && echo $N > {A}', [(A, "8", "")]),
        (f"N=8; [ $N ] || echo 4 > {A}; test $N -lt 4 || echo $N > {A}", [(A, "8", "")]),
        (f"[ ! -e {A} ] || echo 8 > {A}; [ -f /etc/x -a -e {B} ] && echo 8 > {B}", [(A, "8", ""), (B, "8", "?")]),
        (
            f'if [ "$1" = ens1f0 -o "$1" = ens1f1 ]; then echo 8 > /sys/class/net/$1{NUMVFS}; fi',
            [(f"{A}|{B}", "8", "?")],
        ),
        (f"if [[ $1 == ens1f0 || $2 == x ]]; then echo 8 > /sys/class/net/$1{NUMVFS}; fi", [(ANY, "8", "?")]),
        (
            f'if [ ens1f0 = "$1" ]; then echo 8 > {NET}/$1{NUMVFS}; else exit 1; fi; echo 4 > {NET}/$1{NUMVFS}',
            [(A, "8", "?"), (A, "4", "?")],
        ),
        (
            f"x=ens1f0; [ -f /x ] && x=ens1f1; [ $x = ens1f1 ] && echo 8 > {X}; [ $x = ens1f1 ] || echo 4 > {X}",
            [(B, "8", "?"), (A, "4", "?")],
        ),
        (f"[ $1 -eq 2 ] && echo 8 > {A}; [[ $1 =~ a ]] && echo 8 > {B}", [(A, "8", "?"), (B, "8", "?")]),
        (f"if [ $(cat {A}) -eq 0 ]; then echo 8 > {A}; fi", [(A, "8", "")]),
        (
            f"! false && echo 8 > {A}; false || echo 4 > {A}; false && echo 2 > {A}; true || echo 1 > {A}",
            [(A, "8", ""), (A, "4", "")],
        ),
        (f"true || false || echo 1 > {A}; false || true && echo 8 > {A}", [(A, "8", "")]),
        (f"modprobe x || exit 1; echo 8 > {A}", [(A, "8", "")]),
        (f"grep -q x y || exit 1; echo 8 > {A}", [(A, "8", "?")]),
        (
            f"case $N in 8) echo 8 > {A};; esac; N=4; case $N in 8) echo 8 > {B};; 4|5) echo $N > {B};; *) exit;; esac",
            [(A, "8", "?"), (B, "4", "")],
        ),
        (
            f'case "x$1" in xa) echo 8 >{A}; esac\ncase in esac\ncase $1 in\n(a)\nN=8\n;;\n?) N=4;&\nesac; echo $N>{B}',
            [(A, "8", "?"), (B, "8|4|?", "")],
        ),
        # -- functions and scripts within --
        (f"f() {{ echo $1 > {A}; return; echo 9 > {A}; }}; f 8; f", [(A, "8", ""), (A, "?", "")]),
        (
            f"f() {{ f; }}; f; g() ( echo 8 > {A} ); g; h() {{ shift; echo $1 > {B}; }}; h 1 4",
            [(A, "8", ""), (B, "4", "")],
        ),
        (
            f"set -- ens1f0 8; echo $2 > /sys/class/net/$1{NUMVFS}; set -e; shift; echo $1 > {B}; shift; shift",
            [(A, "8", ""), (B, "8", "")],
        ),
        (
            f'for x; do echo 8 >{X}; done; echo "$@" $# >{A}; shift; f() {{ for x; do echo 8 >{X}; done; }}\nf ens1f1',
            [(ANY, "8", ""), (A, "?", ""), (B, "8", "")],
        ),
        (
            f"sudo -u root bash -c 'echo $0 > {A}' 8; timeout -k 5 10s tee {B} <<< 8; nice -n 10 env N=1 tee {A} <<< 4",
            [(A, "8", ""), (B, "8", ""), (A, "4", "")],
        ),
        (f"eval 'echo 8' '> {A}'; sh -x -c; bash -ec \"echo 4 > {B}\"; sudo", [(A, "8", ""), (B, "4", "")]),
        (
            ". /opt/lib.sh ens1f1; /opt/run.sh ens1f0; bash /opt/run.sh; . /opt/none.sh; source; sh",
            [(B, "8", ""), (A, "4", "")],
        ),
        (f"exit && echo 8 > {A}; echo 8 > {B}", []),
        (f"for ((i=0; i<999; i++)); do N=$i; done; echo $N > {A}", [(A, "63", "")]),
        (
            (
                f"while x; do if a\nthen N=8; else for i in 1; do N=4; done; fi\ncase $1 in b) while y; do N=2; done; esac\n"  # noqa: E501
                f"f() {{ {{ N=1; }}; }}; ((M++)); echo $N$M > {A}; done"
            ),
            [(A, "?|?|?", "")],
        ),
        (f"case $1 in a) k=1;; *) k=2;; esac; V[$k]=8; echo ${{V[1]}} > {A}", [(A, "?", "")]),
        (
            f'[ a = b -a c = d ] && exit; [ a = b -o "$1" = c ] && echo 2 >{A}; [ "$1" = c -o a = b ] && echo 4 >{A}',
            [(A, "2", "?"), (A, "4", "?")],
        ),
        (f"[ {'a' * 300} = {'b' * 300} ] || echo 8 > {A}", [(A, "8", "")]),
        (f'P={"a" * 300}; echo ${{P%a}} > {A}; Q=$(x); echo ${{Q#a}} > {A}; echo "x$*" > {A}', [(A, "?", "")] * 3),
        (f'f() {{ echo "$*" > {A}; }}; f 8; f 8 4', [(A, "8", ""), (A, "?", "")]),
        (f"echo {'$((1+' * 9}1{'))' * 9} > {A}", [(A, "?", "")]),
        (
            f"echo 8 > /sys/class/net/ens1f0\\\n{NUMVFS}; N=$(echo ')' '\\'; echo \\)); echo $N > {B}",
            [(A, "8", ""), (B, "?", "")],
        ),
        ("case $1 in " + " ".join(f"{n}) N={n};;" for n in range(9)) + f" esac; echo $N $N > {A}", [(A, "?", "")]),
        ("".join(f"eval N={n}\n" for n in range(300)) + f"echo $N > {A}", [(A, "299", "")]),
        # -- what is no grammar --
        (f"fi; done; }} ) echo 8 > {A}; ;; esac\nfor\nif\ncase\nfunction", [(A, "8", "")]),
        (f"if true; then echo 8 > {A}\n", [(A, "8", "")]),
        (f"(echo 8 > {A}\nwhile", [(A, "8", "")]),
        (f"A=(1 2; echo 8 > {A}", []),
        (f"[[ a == b\necho 8 > {A}", [(A, "8", "")]),
        (
            f"$'echo' 8 > \"{A}\"; `echo 8 > {B}`; echo 8 >& {A} & {{fd}}> /x echo",
            [(A, "8", ""), (B, "8", ""), (A, "8", "")],
        ),
        (f"((echo 8 > {A})); echo '((' \"\\$x\" \\\n8 >> {B}", [(B, "?", "")]),
    ],
)
def test_what_is_written(text: str, expected: list[tuple[str, str, str]]) -> None:
    files = {
        "/opt/lib.sh": f"echo 8 > /sys/class/net/$1{NUMVFS}",
        "/opt/run.sh": f"[ $1 ] && echo 4 > {A}; /opt/run.sh",
    }
    assert told(text, ScriptSurroundings(files=ScriptFiles(files))) == expected


def test_the_scripts_that_are_followed_have_their_own_places() -> None:
    reading = follow(
        "true\n/opt/a 8", ScriptSurroundings("/etc/rc.local", ScriptFiles({"/opt/a": f"\necho $1 > {A}\n/opt/a"}))
    )
    assert [(write.place.path, write.place.line) for write in reading.writes][:1] == [("/opt/a", 2)]
    assert reading.followed == {"/opt/a"}


def test_the_names_of_other_commands_are_told() -> None:
    reading = follow(f"sleep 1; echo 8 > {A}; devlink x; ip link; write {A}")
    assert [name for _, name in reading.others] == ["devlink", "ip", "write"]
    assert [place.line for place in reading.unclear] == [1]


@pytest.mark.parametrize(
    ("text", "number"),
    [
        ("1 + 2 * 3", 7),
        ("-(4 - 2) / 2", -1),
        ("010 % 3", 2),
        ("n * 2", 16),
        ("x", None),
        ("1 2", None),
        ("4 / 0", None),
        ("65536 * 65536 * 2", None),
        ("(1", None),
        ("", None),
        ("1 << 2", None),
        ("1" * 200, None),
        ("4294967295 + 1", None),
    ],
)
def test_arithmetic(text: str, number: int | None) -> None:
    assert evaluate(text, {"n": 8}.get) == number


@pytest.mark.parametrize(
    ("text", "number"),
    [
        ("8", 8),
        ("0x1F", 31),
        ("010", 8),
        ("+8\n", 8),
        ("0", 0),
        ("08", None),
        ("8 ", None),
        ("8\n\n", None),
        ("", None),
        ("-1", None),
        ("1_0", None),
        ("0b1", None),
        ("٣", None),
        ("9" * 40, None),
    ],
)
def test_numbers_as_the_kernel_reads_them(text: str, number: int | None) -> None:
    assert kernel_number(text) == number


@pytest.mark.parametrize(
    ("text", "is_one"),
    [
        ("a", True),
        ("a | b > c", True),
        ("a; b", False),
        ("a && b", False),
        ("", False),
        ("{ a; }", False),
        ("f() { a; }", False),
    ],
)
def test_one_command(text: str, *, is_one: bool) -> None:
    assert is_one_command(text) is is_one


@pytest.mark.parametrize(
    ("text", "lines"),
    [
        ("F=sriov_numvfs; . /etc/x\necho 8 > $P", [2]),
        ("F=sriov_numvfs\necho $(x) > $D/$P", [2]),
        ("F=sriov_numvfs\necho eight > $P", []),
        (f"N=$(cat {A})\necho $N > $P", []),
        (f"for f in {A}; do n=$((n + $(cat $f))); done; echo $n > $P", []),
        ("# sriov_numvfs\necho 8 > $P", []),
        ("echo 8 > $P", []),
        (f"echo 8 > {A}; echo 4 > $P", []),
    ],
)
def test_a_number_that_goes_nobody_knows_where_is_unclear_where_the_file_is_named(text: str, lines: list[int]) -> None:
    assert sorted({place.line for place in follow(text).unclear}) == lines


@pytest.mark.parametrize(
    ("text", "is_unclear"),
    [
        ("set_numvfs ens1f0 8", True),
        ("/opt/sriov-max-vfs.sh ens1f0", True),
        (f"alias setvf='tee {A}'", True),
        (f"alias showvf='cat {A}'", False),
        ("get_numvfs ens1f0; check-max-vfs", False),
    ],
)
def test_a_command_that_is_named_for_a_number_is_unclear(text: str, is_unclear: bool) -> None:  # noqa: FBT001 - a table
    assert bool(follow(text).unclear) is is_unclear
