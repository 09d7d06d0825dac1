"""Who is in the workspace and where they talk. Ids look like Slack's, so that a parser written for Slack meets the real shape."""

from collections.abc import Sequence
from dataclasses import dataclass

TEAM_ID = "T0FERRY001"
TEAM_NAME = "Aibang"
OTHER_TEAM_ID = "T0VENDOR01"
APP_ID = "A0FERRY001"
BOT_USER = "U0FERRYBOT"
BOT_ID = "B0FERRY001"

U_ANN = "U0ANN00001"
U_BOB = "U0BOB00001"
U_CAROL = "U0CAROL001"
U_LI = "U0LILEI001"
U_GUEST = "U0GUEST001"
U_STRANGER = "U0STRANGE1"

C_MIGRATION = "C0MIGRATE1"
C_GENERAL = "C0GENERAL1"
C_SHARED = "C0SHARED01"

S_APPROVERS = "S0APPROVE1"


@dataclass(frozen=True, slots=True, kw_only=True)
class Person:
    """`name` is the @handle; `role` is what the page's user switcher says in brackets."""

    id: str
    name: str
    real_name: str
    role: str
    team_id: str = TEAM_ID
    locale: str = "en-US"
    tz: str = "Asia/Shanghai"
    is_restricted: bool = False
    is_ultra_restricted: bool = False
    is_stranger: bool = False
    is_bot: bool = False
    deleted: bool = False


@dataclass(frozen=True, slots=True, kw_only=True)
class Channel:
    id: str
    name: str
    members: tuple[str, ...]
    topic: str = ""
    has_bot: bool = True
    is_private: bool = False
    is_ext_shared: bool = False
    is_im: bool = False


@dataclass(frozen=True, slots=True, kw_only=True)
class UserGroup:
    id: str
    handle: str
    name: str
    members: tuple[str, ...]


DEFAULT_PEOPLE: Sequence[Person] = (
    Person(id=U_ANN, name="ann", real_name="Ann", role="requester"),
    Person(id=U_BOB, name="bob", real_name="Bob", role="approver"),
    Person(id=U_CAROL, name="carol", real_name="Carol", role="approver"),
    Person(id=U_LI, name="lilei", real_name="Li Lei 李雷", role="reads Chinese", locale="zh-CN"),
    Person(id=U_GUEST, name="gus", real_name="Gus", role="guest", is_restricted=True),
    Person(id=U_STRANGER, name="sam", real_name="Sam", role="another company", team_id=OTHER_TEAM_ID, is_stranger=True),
)

_EVERYBODY = tuple(person.id for person in DEFAULT_PEOPLE)

# The guest and the stranger sit in the migration channel, and the channel is not marked as shared: a refusal that they
# meet there is provably about who they are. Refusing a *channel* is tried in C_SHARED.
DEFAULT_CHANNELS: Sequence[Channel] = (
    Channel(id=C_MIGRATION, name="migration", members=_EVERYBODY, topic="Moving services to the new cluster"),
    Channel(id=C_GENERAL, name="general", members=_EVERYBODY[:4], topic="Ferry is not in this channel", has_bot=False),
    Channel(
        id=C_SHARED,
        name="shared-with-vendor",
        members=(U_ANN, U_BOB, U_STRANGER),
        topic="Shared with another company",
        is_ext_shared=True,
    ),
)

DEFAULT_GROUPS: Sequence[UserGroup] = (
    UserGroup(id=S_APPROVERS, handle="migration-approvers", name="Migration approvers", members=(U_BOB, U_CAROL)),
)


def im_id(user: str) -> str:
    """The id of a person's direct conversation with the app."""
    return "D" + user[1:]
