#!/bin/sh
# Brings what pip cannot: peers and validators of the tests, or what python3 lacks to make .venv.
# usage: deploy/system.sh venv|test      installs by apt where it may, explains where it may not
set -eu

missing() { # the Debian packages whose program is not there yet
    if [ "$1" = venv ]; then
        "${PYTHON:-python3}" -c 'import ensurepip, venv' 2>/dev/null || echo python3-venv
        return
    fi
    for pair in storescu:dcmtk Orthanc:orthanc openssl:openssl javac:default-jdk-headless psql:postgresql systemd-analyze:systemd git:git strace:strace \
        chromium:chromium node:nodejs npm:npm; do
        command -v "${pair%%:*}" >/dev/null 2>&1 || echo "${pair##*:}"
    done
    [ -e /usr/share/java/pixelmed.jar ] || echo pixelmed-apps
    [ -e /usr/share/orthanc/plugins/libOrthancDicomWeb.so ] || echo orthanc-dicomweb
    [ -e /usr/share/orthanc/plugins/libOrthancGdcm.so ] || echo orthanc-gdcm
    [ -e /usr/share/fonts/truetype/dejavu ] || echo fonts-dejavu-core
    ls /usr/lib/postgresql/*/bin/initdb >/dev/null 2>&1 || echo postgresql
}

packages=$(missing "$1" | sort -u | tr '\n' ' ')
[ -n "${packages% }" ] || exit 0
if command -v apt-get >/dev/null 2>&1 && [ "$(id -u)" = 0 ]; then
    sudo=""
elif command -v apt-get >/dev/null 2>&1 && sudo -n true 2>/dev/null; then
    sudo="sudo -n"
else
    echo "This needs system packages that may not be installed from here. Ask the administrator of this machine for:" >&2
    echo "    apt-get install --no-install-recommends $packages" >&2
    echo "(on other systems: the packages of the same programs), then run the command again." >&2
    exit 1
fi
echo "Installing system packages: $packages"
$sudo apt-get update -qq
# unquoted on purpose: a list of names
# shellcheck disable=SC2086
DEBIAN_FRONTEND=noninteractive $sudo apt-get install -y -qq --no-install-recommends $packages >/dev/null
