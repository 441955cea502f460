#!/bin/sh
# A Python for an older glibc than this machine's, with what the agent needs of libraries inside.
# old_python.sh ZIG GLIBC SOURCES PLACE: ZIG is a Python that has ziglang; SOURCES holds the sources
# of python3.11, openssl 3, sqlite3, zlib and libffi, as archives or as Debian's .dsc, whose patches
# are applied then. Needs make, perl, tclsh.
set -eu
zig=$1 glibc=$2 sources=$(cd "$3" && pwd) place=$4
work=$(mktemp -d)
trap 'rm -rf "$work"' EXIT
export SOURCE_DATE_EPOCH="${SOURCE_DATE_EPOCH:-1764374400}" ZERO_AR_DATE=1
mkdir -p "$work/bin" "$place"
for tool in "cc -target x86_64-linux-gnu.$glibc" ar ranlib; do
    # Without this machine's own headers and libraries, which Python's setup.py adds.
    cat > "$work/bin/zig-${tool%% *}" <<END
#!/bin/sh
for each; do
    shift
    case \$each in -I/usr/* | -L/usr/* | -L/lib*) ;; *) set -- "\$@" "\$each" ;; esac
done
exec "$zig" -m ziglang $tool "\$@"
END
    chmod +x "$work/bin/zig-${tool%% *}"
done
export PATH="$work/bin:$PATH" CC=zig-cc AR=zig-ar RANLIB=zig-ranlib
libraries=$work/libraries

unpack() {
    mkdir "$work/$1"
    for found in "$sources"/$1*.dsc; do
        if [ -f "$found" ]; then
            rmdir "$work/$1"
            dpkg-source --no-check -x "$found" "$work/$1" >/dev/null
            return
        fi
    done
    for found in "$sources"/[Pp]"${1#p}"*.tar.* "$sources/$1"*.tar.*; do
        case $found in *orig-*|*debian*|*.asc) continue ;; esac
        if [ -f "$found" ]; then
            tar -xf "$found" -C "$work/$1" --strip-components=1
            return
        fi
    done
    echo "$sources has no source of $1" >&2
    exit 1
}

unpack zlib
(cd "$work/zlib" && CFLAGS="-O2 -fPIC" ./configure --static --prefix="$libraries" && make install)
unpack libffi
(cd "$work/libffi" && CFLAGS="-O2 -fPIC" ./configure --prefix="$libraries" --disable-shared \
    --disable-docs --disable-exec-static-tramp --build=x86_64-linux-gnu && make install)
unpack openssl
# Where it looks for what the machine trusts is told it by the agent.
(cd "$work/openssl" && ./Configure linux-x86_64 no-shared no-tests no-engine no-legacy no-dso \
    -fPIC -O2 --prefix="$libraries" --libdir=lib --openssldir=/etc/ssl \
    && make build_libs && make install_dev)
unpack sqlite3
(cd "$work/sqlite3" && ./configure --disable-tcl --disable-readline && make sqlite3.c \
    && zig-cc -O2 -fPIC -DSQLITE_THREADSAFE=1 -c sqlite3.c -o sqlite3.o \
    && zig-ar rcs "$libraries/lib/libsqlite3.a" sqlite3.o \
    && cp sqlite3.h sqlite3ext.h "$libraries/include/")
unpack python3.11
# When it was built is of no interest, and would make each build another one.
sed -i 's/define DATE __DATE__/define DATE "Jan  1 2026"/; s/define TIME __TIME__/define TIME "00:00:00"/' \
    "$work/python3.11/Modules/getbuildinfo.c"
# zig knows only the long name of this option, and links nothing without something of its own.
: > "$work/python3.11/empty.c"
sed -i 's/-Wl,-h\$/-Wl,-soname,$/; s/-Wl,-soname,$@ $^/& empty.c/' \
    "$work/python3.11/Makefile.pre.in"
(cd "$work/python3.11" && export PKG_CONFIG_LIBDIR="$libraries/lib/pkgconfig" \
    && ./configure --prefix="$place" --build=x86_64-linux-gnu --enable-shared \
        --with-openssl="$libraries" --with-system-ffi --with-ensurepip=install \
        --disable-test-modules CFLAGS=-O2 \
        CPPFLAGS="-I$libraries/include" LDFLAGS="-L$libraries/lib -Wl,-rpath,$place/lib" \
    && make && make install)
"$place/bin/python3" -c 'import ctypes, hashlib, pip, sqlite3, ssl, venv, zlib'
