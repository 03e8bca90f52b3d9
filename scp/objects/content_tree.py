"""SR content trees: items with their relationships, by-reference ones included (PS3.3 C.17.3).

By-reference relationships are what Mammography CAD SR needs and no Python library writes.
"""

from collections.abc import Iterable
from dataclasses import dataclass, field
from typing import Any, NamedTuple

from pydicom import Dataset
from pydicom.sequence import Sequence

CONTAINS = "CONTAINS"
HAS_PROPERTIES = "HAS PROPERTIES"
HAS_OBS_CONTEXT = "HAS OBS CONTEXT"
HAS_ACQ_CONTEXT = "HAS ACQ CONTEXT"
HAS_CONCEPT_MOD = "HAS CONCEPT MOD"
INFERRED_FROM = "INFERRED FROM"
SELECTED_FROM = "SELECTED FROM"

LONGEST_MEANING = 64
LONGEST_CODE_VALUE = 16


class Code(NamedTuple):
    """A coded concept (PS3.3 8.8)."""

    value: str
    scheme: str
    meaning: str
    version: str | None = None

    @classmethod
    def of(cls, sequence: Iterable[Dataset] | None) -> "Code | None":
        """The first code of a source's code sequence; None where that holds no whole code.

        A meaning too long for us is cut; one that our character set may lack gives way to the value.
        """
        item = next(iter(sequence or ()), Dataset())
        value = str(item.get("CodeValue") or item.get("LongCodeValue") or "")
        scheme = str(item.get("CodingSchemeDesignator") or "")
        if not value or not scheme:
            return None
        meaning = str(item.get("CodeMeaning") or value)
        version = item.get("CodingSchemeVersion")
        return cls(value, scheme, (meaning if meaning.isascii() else value)[:LONGEST_MEANING], version)

    def dataset(self) -> Dataset:
        """The item of a code sequence."""
        ds = Dataset()
        if len(self.value) > LONGEST_CODE_VALUE:
            ds.LongCodeValue = self.value
        else:
            ds.CodeValue = self.value
        ds.CodingSchemeDesignator = self.scheme
        if self.version:
            ds.CodingSchemeVersion = self.version
        ds.CodeMeaning = self.meaning
        return ds

    def sequence(self) -> Sequence:
        """A code sequence with this one item."""
        return Sequence([self.dataset()])


@dataclass(eq=False)
class Item:
    """One content item. `target` makes it a by-reference item, which then has a relationship and nothing else."""

    value_type: str
    relationship: str | None
    name: Code | None = None
    attributes: dict[str, Any] = field(default_factory=dict)
    children: list["Item"] = field(default_factory=list)
    target: "Item | None" = None
    position: tuple[int, ...] = ()

    def add(self, *items: "Item | None") -> "Item":
        """Append children, leaving out None, and return self."""
        self.children.extend(item for item in items if item is not None)
        return self

    def write(self, ds: Dataset) -> Dataset:
        """Write this item and all below it into `ds`; positions must have been given by `number`."""
        if self.relationship:
            ds.RelationshipType = self.relationship
        if self.target is not None:
            ds.ReferencedContentItemIdentifier = list(self.target.position)
            return ds
        ds.ValueType = self.value_type
        if self.name is not None:
            ds.ConceptNameCodeSequence = self.name.sequence()
        for keyword, value in self.attributes.items():
            setattr(ds, keyword, value)
        if self.children:
            ds.ContentSequence = Sequence([child.write(Dataset()) for child in self.children])
        return ds


def number(root: Item) -> None:
    """Give every item its position (PS3.3 C.17.3.2.5): the root is 1, its second child 1.2."""
    root.position = (1,)
    todo = [root]
    while todo:
        item = todo.pop()
        for index, child in enumerate(item.children, 1):
            child.position = (*item.position, index)
            todo.append(child)


def decimal_string(value: float) -> str:
    """A DS of at most 16 characters (PS3.5 6.2)."""
    if float(value).is_integer():
        return str(int(value))
    text = repr(float(value))
    return text if len(text) <= 16 else f"{value:.10g}"


def container(relationship: str | None, name: Code, template: str | None = None) -> Item:
    """A CONTAINER, with its template where it is a root."""
    attributes: dict[str, Any] = {"ContinuityOfContent": "SEPARATE"}
    if template:
        ds = Dataset()
        ds.MappingResource = "DCMR"
        ds.TemplateIdentifier = template
        attributes["ContentTemplateSequence"] = Sequence([ds])
    return Item("CONTAINER", relationship, name, attributes)


def code(relationship: str, name: Code, value: Code) -> Item:
    """A CODE item."""
    return Item("CODE", relationship, name, {"ConceptCodeSequence": value.sequence()})


def text(relationship: str, name: Code, value: str) -> Item:
    """A TEXT item."""
    return Item("TEXT", relationship, name, {"TextValue": value})


def num(relationship: str, name: Code, value: float, unit: Code) -> Item:
    """A NUM item with its unit."""
    measured = Dataset()
    measured.NumericValue = decimal_string(value)
    measured.MeasurementUnitsCodeSequence = unit.sequence()
    return Item("NUM", relationship, name, {"MeasuredValueSequence": Sequence([measured])})


def uidref(relationship: str, name: Code, value: str) -> Item:
    """A UIDREF item."""
    return Item("UIDREF", relationship, name, {"UID": value})


def date(relationship: str, name: Code, value: str) -> Item:
    """A DATE item."""
    return Item("DATE", relationship, name, {"Date": value})


def time(relationship: str, name: Code, value: str) -> Item:
    """A TIME item."""
    return Item("TIME", relationship, name, {"Time": value})


def image(relationship: str, sop_class_uid: str, sop_instance_uid: str, name: Code | None = None) -> Item:
    """An IMAGE item."""
    reference = Dataset()
    reference.ReferencedSOPClassUID = sop_class_uid
    reference.ReferencedSOPInstanceUID = sop_instance_uid
    return Item("IMAGE", relationship, name, {"ReferencedSOPSequence": Sequence([reference])})


def scoord(relationship: str, name: Code, graphic: str, points: Iterable[tuple[float, float]]) -> Item:
    """An SCOORD item: (column, row) floats, 0\\0 the outer corner of the first pixel (PS3.3 C.18.6)."""
    data = [float(value) for point in points for value in point]
    return Item("SCOORD", relationship, name, {"GraphicType": graphic, "GraphicData": data})


def reference(relationship: str, target: Item) -> Item:
    """A by-reference item that points at another item of the same tree."""
    return Item("", relationship, target=target)
