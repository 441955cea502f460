"""Files that open: office documents, tables, PDF, pictures, text and dumps, made from words."""

from __future__ import annotations

import io
import math
import random
import struct
import zipfile
import zlib
from xml.sax.saxutils import escape

_EPOCH = (2026, 1, 1, 0, 0, 0)
_WIDE, _HIGH, _STEP = 480, 300, 3
_PHRASES = (
    "Le présent document annule et remplace la version précédente.",
    "Les parties conviennent de se revoir avant la fin du mois.",
    "Le délai de réalisation est de six semaines à compter de l’accord.",
    "Les pièces justificatives sont jointes en annexe.",
    "Le montant s’entend hors taxes, payable à trente jours.",
    "Une visite sur place a été effectuée en présence du maître d’ouvrage.",
    "Merci de nous retourner un exemplaire daté et signé.",
    "Les réserves ont été levées lors de la réunion du mardi.",
)
_WORD = (
    '<w:document xmlns:w="http://schemas.openxmlformats.org/wordprocessingml/2006/main"><w:body>'
)
_TYPES = (
    '<?xml version="1.0" encoding="UTF-8"?><Types xmlns='
    '"http://schemas.openxmlformats.org/package/2006/content-types"><Default Extension="rels"'
    ' ContentType="application/vnd.openxmlformats-package.relationships+xml"/><Override PartName='
    '"/{part}" ContentType="application/vnd.openxmlformats-officedocument.wordprocessingml'
    '.document.main+xml"/></Types>'
)
_RELATIONS = (
    '<?xml version="1.0" encoding="UTF-8"?><Relationships xmlns='
    '"http://schemas.openxmlformats.org/package/2006/relationships"><Relationship Id="rId1"'
    ' Type="http://schemas.openxmlformats.org/officeDocument/2006/relationships/officeDocument"'
    ' Target="{part}"/></Relationships>'
)


def make(name: str, version: int) -> bytes:
    """What a file holds, told by its ending, in its so many-th version."""
    chance = random.Random(f"{name} {version}")
    title, _, ending = name.rpartition("/")[2].rpartition(".")
    lines = [f"{title}, version {version}", "", *chance.choices(_PHRASES, k=12 + 2 * version)]
    match ending:
        case "docx":
            return _make_document(lines)
        case "pdf":
            return _make_pdf(lines)
        case "png":
            return _make_picture(random.Random(name), version)
        case "csv":
            return _make_table(chance, 60 + 8 * version)
        case "sql":
            return _make_dump(chance, title, 400 + 20 * version)
        case _:
            return "\n".join(lines).encode()


def _make_document(lines: list[str]) -> bytes:
    body = "".join(f"<w:p><w:r><w:t>{escape(line)}</w:t></w:r></w:p>" for line in lines)
    part = "word/document.xml"
    parts = {
        "[Content_Types].xml": _TYPES.format(part=part),
        "_rels/.rels": _RELATIONS.format(part=part),
        part: f'<?xml version="1.0" encoding="UTF-8"?>{_WORD}{body}</w:body></w:document>',
    }
    written = io.BytesIO()
    with zipfile.ZipFile(written, "w", zipfile.ZIP_DEFLATED) as archive:
        for name, text in parts.items():
            archive.writestr(zipfile.ZipInfo(name, _EPOCH), text)
    return written.getvalue()


def _make_pdf(lines: list[str]) -> bytes:
    """One page of Helvetica, whose letters are those of Windows-1252."""

    def quote(line: str) -> bytes:
        said = line.encode("cp1252", "replace")
        return said.replace(b"\\", rb"\\").replace(b"(", rb"\(").replace(b")", rb"\)")

    shown = b"".join(b"(%s) Tj T*\n" % quote(line) for line in lines[:44])
    stream = b"BT /F1 11 Tf 56 780 Td 16 TL\n" + shown + b"ET"
    fonts = b"/Resources<</Font<</F1 5 0 R>>>>"
    objects = [
        b"<</Type/Catalog/Pages 2 0 R>>",
        b"<</Type/Pages/Kids[3 0 R]/Count 1>>",
        b"<</Type/Page/Parent 2 0 R/MediaBox[0 0 595 842]/Contents 4 0 R %s>>" % fonts,
        b"<</Length %d>>stream\n%s\nendstream" % (len(stream), stream),
        b"<</Type/Font/Subtype/Type1/BaseFont/Helvetica/Encoding/WinAnsiEncoding>>",
    ]
    written, places = b"%PDF-1.4\n", []
    for number, one in enumerate(objects, 1):
        places.append(len(written))
        written += b"%d 0 obj%s endobj\n" % (number, one)
    table = b"".join(b"%010d 00000 n \n" % place for place in places)
    start = len(written)
    written += b"xref\n0 %d\n0000000000 65535 f \n%s" % (len(objects) + 1, table)
    return written + b"trailer<</Size %d/Root 1 0 R>>\nstartxref\n%d\n%%%%EOF\n" % (
        len(objects) + 1,
        start,
    )


def _make_picture(chance: random.Random, version: int) -> bytes:
    """A landscape under its sky."""
    sky = [chance.randint(low, low + 40) for low in (110, 160, 205)]
    hills = [
        (chance.uniform(0.35, 0.8), chance.uniform(8, 30), chance.uniform(0.01, 0.04),
         [chance.randint(low, low + 60) for low in (50, 90, 40)])
        for _ in range(3)
    ]  # fmt: skip
    hills.sort()
    edges = [
        [
            round(_HIGH * high + swing * math.sin(x * pace + high * 40 + version))
            for x in range(0, _WIDE, _STEP)
        ]
        for high, swing, pace, _ in hills
    ]
    colours = [bytes(colour) * _STEP for *_, colour in hills]
    rows = bytearray()
    for y in range(_HIGH):
        above = bytes(min(255, round(part * (0.7 + 0.5 * y / _HIGH))) for part in sky) * _STEP
        row = [above] * (_WIDE // _STEP)
        for edge, colour in zip(edges, colours, strict=True):
            row = [colour if y >= top else shown for top, shown in zip(edge, row, strict=True)]
        rows += b"\0" + b"".join(row)
    head = struct.pack(">IIBBBBB", _WIDE, _HIGH, 8, 2, 0, 0, 0)
    parts = ((b"IHDR", head), (b"IDAT", zlib.compress(bytes(rows), 6)), (b"IEND", b""))
    return b"\x89PNG\r\n\x1a\n" + b"".join(
        struct.pack(">I", len(body)) + kind + body + struct.pack(">I", zlib.crc32(kind + body))
        for kind, body in parts
    )


def _make_table(chance: random.Random, rows: int) -> bytes:
    lines = ["Date;Libellé;Montant HT;TVA"]
    for row in range(rows):
        amount = chance.randint(1_500, 480_000) / 100
        said = chance.choice(("Fournitures", "Honoraires", "Déplacement", "Acompte", "Solde"))
        lines.append(
            f"{1 + row % 28:02}/{1 + row % 12:02}/2026;{said} n° {1000 + row};{amount:.2f};"
            f"{amount * 0.2:.2f}".replace(".", ",")
        )
    return ("\ufeff" + "\r\n".join(lines)).encode()


def _make_dump(chance: random.Random, name: str, rows: int) -> bytes:
    lines = [
        f"-- PostgreSQL database dump of {name}",
        "COPY public.dossiers (id, client) FROM stdin;",
    ]
    lines += [f"{row}\tclient {chance.randint(1, 9_999):04}" for row in range(rows)]
    return "\n".join([*lines, "\\.", "-- PostgreSQL database dump complete", ""]).encode()
