"""What all JSON documents share."""

from __future__ import annotations

from typing import TYPE_CHECKING, Annotated, Any

from pydantic import AfterValidator, BaseModel, ConfigDict, Field
from pydantic_core import PydanticSerializationError

from mbv2cli.graph.ops import Shape
from mbv2cli.shown import json_escaped
from mbv2cli.specs import BlockSpec, InputSpec, NetworkSpec
from mbv2cli.specs.origin import How
from mbv2cli.specs.reader import Request
from mbv2cli.version import SCHEMA_VERSION, __version__

if TYPE_CHECKING:
    from mbv2cli.specs.module import ModuleRequest

Megabytes = Annotated[float, AfterValidator(lambda exact: round(exact, 2))]


class Part(BaseModel):
    """A document or a part of one: frozen, made of objects by their attributes."""

    model_config = ConfigDict(
        frozen=True,
        defer_build=True,
        from_attributes=True,
        json_schema_serialization_defaults_required=True,
    )


class Document(Part):
    """What a command prints with `--format json`."""

    schema_version: int = Field(
        SCHEMA_VERSION, description=f"{SCHEMA_VERSION}: the version of these fields."
    )
    mbv2_version: str = Field(__version__, description="Version of mbv2.")
    command: str = Field(description="Command that printed this document.")

    @property
    def text(self) -> str:
        """The document, indented."""
        try:
            text = self.model_dump_json(indent=2, by_alias=True)
        except PydanticSerializationError:  # the name of a file is not UTF-8
            import json  # slow, and rarely needed

            text = json.dumps(self.model_dump(mode="json", by_alias=True), indent=2)
        return json_escaped(text) + "\n"


class FieldOriginPart(Part):
    """How a field is known."""

    key: str = Field(
        description="Name of a field of `spec` or `input`, or of what has no field there."
    )
    how: How = Field(description="`read`, `assumed`, `left_out` or `contradicted`.")
    why: str = Field(description="What the file says, why it is assumed, or what is left out.")


class OriginPart(Part):
    """The file of another codebase that describes a model."""

    file: str = Field(description="Path of the file, as given.")
    what: str = Field(description="What the file is, such as `Hugging Face configuration`.")
    fields: tuple[FieldOriginPart, ...] = Field(description="How each field is known.")


class RequestDocument(Document):
    """What a command prints about a target."""

    target: str = Field(description="The target, as given.")
    kind: str = Field(description="`block`, `network` or `module`.")
    spec: BlockSpec | NetworkSpec | None = Field(
        description="Every field of the target, under the names of its flags; null for a module."
    )
    input: InputSpec | None = Field(
        description="`size` (height, width) and `batch`; null for a module."
    )
    origin: OriginPart | None = Field(
        description="The file of another codebase that describes the target; null if there is none."
    )


def request_fields(request: Request | ModuleRequest) -> dict[str, Any]:
    """Return the arguments of a `RequestDocument` about ``request``."""
    if not isinstance(request, Request):
        unknown = dict.fromkeys(("spec", "input", "origin"))
        return {"target": request.target, "kind": "module", **unknown}
    return {
        "target": request.target,
        "kind": request.kind,
        "spec": request.spec,
        "input": request.input,
        "origin": request.origin and OriginPart.model_validate(request.origin),
    }


class ComparedLayerPart(Part):
    """A layer of one model."""

    name: str | None = Field(
        description="torchsummary's name; null for a functional operation, and in a drift of a "
        "module."
    )
    path: str = Field(description="Module path.")
    type: str = Field(description="Class of the module, or name of the function.")
    output_shape: Shape = Field(description="Shape of the output.")
    params: int = Field(description="Parameters.")
    macs: int = Field(description="MACs of convolutions and linear layers.")


class FieldChangePart(Part):
    """A field that differs."""

    field: str = Field(description="Name of the field.")
    before: Any = Field(description="Value before, or in A; null if there is none.")
    after: Any = Field(description="Value now, or in B; null if there is none.")


class LayerPairPart(Part):
    """A layer that differs."""

    before: ComparedLayerPart | None = Field(
        description="Layer of A, or of the lock; null if the layer is new."
    )
    after: ComparedLayerPart | None = Field(
        description="Layer of B, or of the current model; null if the layer is gone."
    )
    changes: tuple[FieldChangePart, ...] = Field(
        description="The fields that differ; empty if the layer is new or gone."
    )
