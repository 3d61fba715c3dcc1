#!/usr/bin/env bash
# Draw the same seeds here and in an emulated 64-bit Arm Debian (the base of Raspberry Pi OS), and compare every sketch.
#
# usage: sudo benchmarks/arm64.sh [COUNT]        COUNT seeds, 100 where not given
#
# Needs root on a Debian or Ubuntu, for its packages debootstrap and qemu-user-static, for chroot, and for the kernel's
# binfmt_misc. The first run makes a Debian of some 400 MB in ARM64_ROOT (default /var/tmp/sketch-edge-arm64), which
# takes about ten minutes. Drawing 100 seeds alone takes one minute in there, chosen from eight four, in batches of 64
# ten: all ways together take more than half an hour. Times within the emulation mean nothing, drawings and memory do.
# Fails where a sketch of onnxruntime differs; of numpy, whose sums are added up in an order of the processor's own, few
# may.
# PYTHON names a Python 3.11 or newer that has sketch-edge installed (default: .venv/bin/python).
set -euo pipefail

count=${1:-100}
root=${ARM64_ROOT:-/var/tmp/sketch-edge-arm64}
project=$(cd "$(dirname "$0")/.." && pwd)
python=$(realpath -s "${PYTHON:-$project/.venv/bin/python}")  # -s: a virtual environment is known by its link
out=$root/share

inside() { chroot "$root" /usr/bin/env -i PATH=/v/bin:/usr/bin:/bin HOME=/root LC_ALL=C.UTF-8 OPENBLAS_NUM_THREADS=1 "$@"; }

emulation() {  # so that the kernel runs Arm programs
  local mounted=/proc/sys/fs/binfmt_misc
  [ -e $mounted/register ] || mount -t binfmt_misc none $mounted
  [ -e $mounted/qemu-aarch64 ] || update-binfmts --enable qemu-aarch64
}

debian() {
  [ -x "$root/v/bin/python" ] && return
  echo "arm64: making a Debian in $root" >&2
  export DEBIAN_FRONTEND=noninteractive
  apt-get update -qq && apt-get install -y -qq binfmt-support debootstrap qemu-user-static >/dev/null
  emulation
  umount "$root/proc" "$root/sys" 2>/dev/null || true  # what an interrupted run left
  rm -rf --one-file-system "$root"
  debootstrap --arch=arm64 --variant=minbase --include=python3,python3-venv bookworm "$root" >"$root.log" 2>&1
  inside python3 -m venv /v
}

# Wheels are chosen and fetched out here, for Arm, as pip is slow in there.
wheels() {
  local tags=() tag
  for tag in manylinux2014 manylinux_2_17 manylinux_2_26 manylinux_2_27 manylinux_2_28 manylinux_2_31 manylinux_2_34; do
    tags+=(--platform "${tag}_aarch64")
  done
  mkdir -p "$root/wheels" "$out"
  rm -f "$root"/wheels/sketch_edge-*.whl
  "$python" -m pip wheel --quiet --no-deps --wheel-dir "$root/wheels" "$project"
  rm -rf "$project/build"
  "$python" -m pip download --quiet --disable-pip-version-check --only-binary=:all: --python-version 3.11 --implementation cp "${tags[@]}" \
    --dest "$root/wheels" numpy onnxruntime click pillow
  inside pip install --quiet --no-index --find-links /wheels --force-reinstall --no-deps sketch-edge
  inside pip install --quiet --no-index --find-links /wheels sketch-edge
}

debian
emulation
wheels
cp "$project/benchmarks/hashes.py" "$out/"
cd "$out"  # not in the project, whose folders would be imported in place of what is installed
echo "arm64: drawing $count seeds in every way, there and here" >&2
# onnxruntime looks for the processor in /sys, which is not there, and says so; nothing depends on it.
inside python /share/hashes.py "$count" 2> >(grep -v cpuinfo >&2) >there.txt &
OPENBLAS_NUM_THREADS=1 "$python" hashes.py "$count" >here.txt
wait $!
versions='import importlib.metadata as m, platform; print(platform.machine(), *(m.version(p) for p in ("numpy", "onnxruntime")))'
echo "there: $(inside python -c "$versions")"
echo "here:  $("$python" -c "$versions")"

# Per way: how many sketches are equal there and here, and how many are those that cpu-alone draws here.
paste here.txt there.txt | awk -F '\t' '
  $1 == "cpu-alone" { first[$2] = $4 }
  { all[$1]++; if ($4 == $8) equal[$1]++; else { bad += $1 !~ /^numpy/; print "other:", $1, "seed", $2, $3 }; if ($4 == first[$2]) same[$1]++ }
  !($1 in seen) { seen[$1] = 1; order[++n] = $1 }
  END { for (i = 1; i <= n; i++) { w = order[i]
          printf "%-16s %d of %d equal there and here", w, equal[w], all[w]
          if (w ~ /chosen/) print ""; else printf ", %d as cpu-alone here\n", same[w] }
        exit bad > 0 }'
