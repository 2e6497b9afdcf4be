#!/usr/bin/env bash
# A real S3 server for the tests: one of each of Ceph's daemons on loopback, S3 by its RADOS gateway.
#
#   tests/servers/rgw.sh install       what is missing of Ceph's packages (Debian, as root; 16 s)
#   tests/servers/rgw.sh start [DIR]   serve on 127.0.0.1:7480 with the keys testing / testing12;
#                                      nothing to do where it answers already (about 16 s)
#   tests/servers/rgw.sh stop  [DIR]   end it and remove DIR
#
# DIR holds everything it writes: a sparse file of at most 10 GiB, logs, pid files. The default lies
# in the directory for temporary files. RGW_PORT=N serves on another port. The daemons trust each
# other without authentication, so all of them listen on loopback only.
set -Eeuo pipefail

PACKAGES=(radosgw ceph-mon ceph-osd ceph-mgr ceph-common)
ADDRESS=127.0.0.1
S3_PORT=${RGW_PORT:-7480}
MON_PORT=$((S3_PORT + 9320))
ACCESS_KEY=testing
SECRET_KEY=testing12

trap 'say "failed at line $LINENO: $BASH_COMMAND"' ERR

say() { echo "rgw.sh: $*" >&2; }

answers() { curl --silent --output /dev/null --max-time 2 "http://$ADDRESS:$S3_PORT/"; }

# Repeats a command until it succeeds: wait_for SECONDS WHAT COMMAND...
wait_for() {
    local deadline=$((SECONDS + $1)) what=$2
    shift 2
    until "$@" >/dev/null 2>&1; do
        if ((SECONDS >= deadline)); then
            say "gave up waiting for $what; see the logs in $DIR/log"
            return 1
        fi
        sleep 0.2
    done
}

install_packages() {
    local missing=() package
    for package in "${PACKAGES[@]}" curl uuid-runtime; do
        dpkg-query --show --showformat='${db:Status-Status}' "$package" 2>/dev/null |
            grep --quiet --line-regexp installed || missing+=("$package")
    done
    if ((${#missing[@]} == 0)); then
        say "everything is installed"
        return
    fi
    apt-get update --quiet
    DEBIAN_FRONTEND=noninteractive apt-get install --quiet --yes --no-install-recommends "${missing[@]}"
}

write_configuration() {
    # size 1 and chooseleaf 0: one disk is the whole cluster. tcp_nodelay: else small answers take
    # 40 ms (Nagle against delayed ACK). The sts key must have 16 characters.
    cat >"$DIR/ceph.conf" <<CONF
[global]
fsid = $1
mon initial members = a
mon host = v1:$ADDRESS:$MON_PORT
public addr = $ADDRESS
cluster addr = $ADDRESS
ms bind msgr2 = false
ms bind ipv6 = false
auth cluster required = none
auth service required = none
auth client required = none
osd pool default size = 1
osd pool default min size = 1
osd pool default pg num = 8
osd pool default pgp num = 8
osd crush chooseleaf type = 0
mon allow pool size one = true
mon max pg per osd = 1000
osd objectstore = bluestore
bluestore block size = 10737418240
bluestore block preallocate file = false
osd memory target = 1073741824
osd class load list = *
osd class default list = *
mon data = $DIR/mon
osd data = $DIR/osd
mgr data = $DIR/mgr
run dir = $DIR/run
pid file = $DIR/run/\$name.pid
admin socket = $DIR/run/\$name.\$pid.asok
log file = $DIR/log/\$name.log
[client.rgw]
rgw frontends = beast endpoint=$ADDRESS:$S3_PORT tcp_nodelay=1
rgw dns name = localhost
rgw enable apis = s3, sts, iam, admin
rgw s3 auth use sts = true
rgw sts key = softfactorytests
rgw thread pool size = 64
rgw enable usage log = false
CONF
}

start() {
    if answers; then
        say "S3 answers already at http://$ADDRESS:$S3_PORT"
        return
    fi
    command -v radosgw >/dev/null || {
        say "radosgw is not installed; run: $0 install"
        exit 1
    }
    stop
    mkdir -p "$DIR"/{mon,osd,mgr,run,log}
    touch "$DIR/.rgw-tests"
    local fsid osd_id
    fsid=$(uuidgen)
    write_configuration "$fsid"
    export CEPH_CONF=$DIR/ceph.conf

    monmaptool --create --addv a "[v1:$ADDRESS:$MON_PORT/0]" --fsid "$fsid" "$DIR/monmap" >/dev/null
    ceph-mon --conf "$CEPH_CONF" --mkfs -i a --monmap "$DIR/monmap"
    ceph-mon --conf "$CEPH_CONF" -i a
    wait_for 30 "the monitor" timeout 5 ceph --conf "$CEPH_CONF" status

    # The id that the monitor wrote down, not the one asked for: a command that the client sends a
    # second time, while the monitor comes up, leaves a new one.
    ceph --conf "$CEPH_CONF" osd new "$(uuidgen)" 0 >/dev/null
    osd_id=$(ceph --conf "$CEPH_CONF" osd dump | awk '/^osd\.0 /{print $NF}')
    ceph-osd --conf "$CEPH_CONF" -i 0 --mkfs --osd-uuid "$osd_id" 2>>"$DIR/log/mkfs.log"
    ceph --conf "$CEPH_CONF" osd crush add osd.0 1 root=default host=localhost 2>/dev/null
    ceph-osd --conf "$CEPH_CONF" -i 0 >>"$DIR/log/osd.out" 2>&1
    ceph-mgr --conf "$CEPH_CONF" -i a >>"$DIR/log/mgr.out" 2>&1
    wait_for 60 "the disk" sh -c "ceph --conf '$CEPH_CONF' osd stat | grep '1 up'"

    radosgw --conf "$CEPH_CONF" -n client.rgw >>"$DIR/log/rgw.out" 2>&1
    wait_for 120 "the gateway" answers
    radosgw-admin --conf "$CEPH_CONF" -n client.rgw user create --uid=testing \
        --display-name=testing --access-key="$ACCESS_KEY" --secret-key="$SECRET_KEY" \
        --caps='roles=*;user-policy=*;users=*' >/dev/null
    say "S3 at http://$ADDRESS:$S3_PORT, access key $ACCESS_KEY, secret key $SECRET_KEY, data in $DIR"
}

stop() {
    local file pid
    [[ -e $DIR/.rgw-tests ]] || return 0 # not ours: nothing in it is ended or removed
    for file in "$DIR"/run/client.rgw.pid "$DIR"/run/mgr.a.pid "$DIR"/run/osd.0.pid "$DIR"/run/mon.a.pid; do
        [[ -e $file ]] || continue
        pid=$(<"$file")
        kill "$pid" 2>/dev/null || continue
        wait_for 30 "process $pid to end" sh -c "! kill -0 $pid"
    done
    rm -rf "$DIR"
}

DIR=${2:-${TMPDIR:-/tmp}/softfactory-rgw-$S3_PORT}
case ${1:-} in
install) install_packages ;;
start) start ;;
stop) stop ;;
*)
    sed -n '2,/^set /{/^set /d;s/^# \{0,1\}//;p}' "$0" >&2
    exit 2
    ;;
esac
