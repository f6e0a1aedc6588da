"""The base of all nodes: lifecycle, typed parameters, heartbeat, diagnostics, errors."""

from __future__ import annotations

import functools
import time
import traceback
from collections.abc import Callable, Iterable
from typing import Any, ClassVar, Generic, TypeVar

from lifecycle_msgs.msg import State
from rclpy.callback_groups import CallbackGroup, MutuallyExclusiveCallbackGroup, ReentrantCallbackGroup
from rclpy.clock import Clock, ClockType
from rclpy.exceptions import InvalidHandle
from rclpy.lifecycle import LifecycleNode, LifecyclePublisher, LifecycleState, TransitionCallbackReturn
from rclpy.publisher import Publisher
from rclpy.qos import QoSProfile
from rclpy.subscription import Subscription
from rclpy.timer import Timer

from joyai_ros.errors import JoyaiError
from joyai_ros.nodes import heap, qos
from joyai_ros.nodes.config import NodeConfig
from joyai_ros.nodes.diagnostics import DiagnosticsPublisher, Report
from joyai_ros.nodes.parameters import Parameters
from joyai_ros.nodes.tally import Tally

C = TypeVar("C", bound=NodeConfig)
_INTERNAL = 65535  # error code of a service whose node made a mistake; no service has a name for it


class ManagedNode(LifecycleNode, Generic[C]):  # type: ignore[misc]  # rclpy has no types
    """A lifecycle node. A subclass says what it does in :meth:`setup`, :meth:`start`, :meth:`stop`, :meth:`teardown`.

    ============ ===================================================================================
    configure    :meth:`setup`: everything that takes time or memory; a :class:`JoyaiError` leaves
                 the node unconfigured, any other error goes to error processing
    activate     :meth:`start`: from here on it works and publishes
    deactivate   :meth:`stop`: threads end, goals are aborted
    cleanup      :meth:`teardown`: publishers, subscriptions and services that were made with the
                 methods of this class are destroyed by it
    error        stop and teardown; the node is unconfigured then, and starts again by itself after
                 ``recover_after`` seconds
    ============ ===================================================================================

    What a callback of a topic, a service or a timer raises ends in error processing too; the other nodes of the process
    do not notice.

    Args:
        elsewhere: parameter names that other nodes of the process read.
        options: for rclpy's node: ``context``, ``namespace``, ``parameter_overrides``, ``cli_args`` ...

    Attributes:
        tally: what it counts and times.
        problem: why it could not be configured; None while all is well.

    Raises:
        ConfigError: a parameter is unknown, of the wrong type or out of its range.
    """

    NAME: ClassVar[str]
    CONFIG: ClassVar[type[Any]]
    LIVE: ClassVar[tuple[str, ...]] = ()

    def __init__(self, *, elsewhere: Iterable[str] = (), **options: Any) -> None:
        super().__init__(self.NAME, automatically_declare_parameters_from_overrides=True, **options)
        self.parameters: Parameters[C] = Parameters(self, self.CONFIG, self.LIVE, elsewhere)
        self.parameters.on_change(self.reconfigure)
        self.tally = Tally()
        self.problem: JoyaiError | None = None
        self._error = ""
        self._fault: Exception | None = None
        self._owned: list[Callable[[], Any]] = []
        self._steady = Clock(clock_type=ClockType.STEADY_TIME)
        self._fault_guard = self.create_guard_condition(self._process_fault)
        self._restart: Timer | None = None
        period = 1.0 / self.config.heartbeat_rate
        self._heart = self.create_publisher(State, "~/heartbeat", qos.heartbeat(period))
        # Not on the default group: a long transition must not look like death.
        self._pulse = MutuallyExclusiveCallbackGroup()
        self.steady_timer(period, self._beat, self._pulse)
        self._diagnostics = DiagnosticsPublisher(self)
        self.steady_timer(self.config.diagnostics_period, self._diagnose, self._pulse)
        if self.config.autostart:
            self._schedule_start(0.0)

    # What a subclass does ------------------------------------------------------------------------

    def setup(self) -> None:
        """Get ready: make publishers, subscriptions and services, load what is needed."""

    def start(self) -> None:
        """Begin to work."""

    def stop(self) -> None:
        """Stop working; called at deactivation, shutdown and errors, also when only half started."""

    def teardown(self) -> None:
        """Give back what :meth:`setup` took and this class does not know of."""

    def reconfigure(self) -> None:
        """Take over live parameters that have changed (:attr:`config`)."""

    def abort_goals(self) -> bool:
        """Abort the goals that run, because the process ends; say whether there were any."""
        return False

    def reports(self) -> list[Report]:
        """Return the diagnostics of this node's work."""
        return []

    # What it uses --------------------------------------------------------------------------------

    @property
    def config(self) -> C:
        """The settings as they are now."""
        return self.parameters.value

    @property
    def state(self) -> tuple[int, str]:
        """The lifecycle state: number (lifecycle_msgs/State) and label."""
        number, label = self._state_machine.current_state  # rclpy offers it through the service alone
        return int(number), str(label)

    @property
    def is_active(self) -> bool:
        """Whether the node is in its active state."""
        return self.state[0] == State.PRIMARY_STATE_ACTIVE

    def publisher(self, kind: type[Any], topic: str, profile: QoSProfile) -> LifecyclePublisher:
        """Return a publisher that is silent unless the node is active; its quality of service is a parameter."""
        made = self.create_lifecycle_publisher(kind, topic, profile, qos_overriding_options=qos.overridable())
        self._owned.append(lambda: self.destroy_lifecycle_publisher(made))
        return made

    def listen(
        self,
        kind: type[Any],
        topic: str,
        callback: Callable[[Any], None],
        profile: QoSProfile,
        group: CallbackGroup | None = None,
        *,
        raw: bool = False,
    ) -> Subscription:
        """Return a subscription that lives until cleanup; its quality of service is a parameter.

        With ``raw`` the callback gets messages serialised.
        """
        made = self.create_subscription(
            kind, topic, callback, profile, callback_group=group, qos_overriding_options=qos.overridable(), raw=raw
        )
        self._owned.append(lambda: self.destroy_subscription(made))
        return made

    def serve(self, kind: type[Any], name: str, callback: Callable[[Any, Any], Any]) -> None:
        """Offer a service until cleanup; it answers while frames are in work and goals run.

        Whoever calls gets what the callback had filled in also where it raises, so that nobody waits for ever.
        """

        def answer(request: Any, response: Any) -> Any:
            try:
                return callback(request, response)
            except Exception as error:  # noqa: BLE001 - the node goes to error processing with it
                self.fail(error)
                if hasattr(response, "error_code"):
                    response.error_code, response.error_msg = _INTERNAL, f"{type(error).__name__}: {error}"
                return response

        made = self.create_service(kind, name, answer, callback_group=ReentrantCallbackGroup())
        self._owned.append(lambda: self.destroy_service(made))

    def own(self, destroy: Callable[[], Any]) -> None:
        """Call this at cleanup."""
        self._owned.append(destroy)

    def steady_timer(self, period: float, callback: Callable[[], None], group: CallbackGroup | None = None) -> Timer:
        """Return a timer that runs on, whatever happens to ``/clock``."""
        return self.create_timer(period, self._guarded(callback), callback_group=group, clock=self._steady)

    def create_subscription(self, kind: Any, topic: str, callback: Callable[..., None], *args: Any, **more: Any) -> Any:
        """Return a subscription (rclpy's) whose errors end in error processing; TF's listener makes its own with it."""
        return super().create_subscription(kind, topic, self._guarded(callback), *args, **more)

    def _guarded(self, callback: Callable[..., None]) -> Callable[..., None]:
        """Return a callback that leads what it raises to error processing, instead of to the end of the process."""

        @functools.wraps(callback)  # rclpy looks at how many arguments it takes
        def guarded(*args: Any) -> None:
            try:
                callback(*args)
            except InvalidHandle as error:
                if self.is_active:  # else a cleanup took away what the callback was about to use
                    self.fail(error)
            except Exception as error:  # noqa: BLE001 - the node goes to error processing with it
                self.fail(error)

        return guarded

    def fail(self, error: Exception) -> None:
        """Go to error processing, as soon as the executor gets to it; may be called from any thread."""
        self._fault = error
        self._fault_guard.trigger()

    # Lifecycle -----------------------------------------------------------------------------------

    def on_configure(self, state: LifecycleState) -> TransitionCallbackReturn:
        """Set the node up."""
        self.problem, self._error = None, ""
        try:
            self.setup()
            self.parameters.check_qos()
        except JoyaiError as error:
            self.problem = error
            self.get_logger().error(f"cannot be configured: {error}")
            self._dismantle()
            return TransitionCallbackReturn.FAILURE
        except Exception as error:  # noqa: BLE001 - shown, and answered by error processing
            return self._errored(error)
        return super().on_configure(state)

    def on_activate(self, state: LifecycleState) -> TransitionCallbackReturn:
        """Start to work."""
        result = super().on_activate(state)  # publishers first, for what start() says at once
        try:
            self.start()
        except Exception as error:  # noqa: BLE001 - shown, and answered by error processing
            return self._errored(error)
        return result

    def on_deactivate(self, state: LifecycleState) -> TransitionCallbackReturn:
        """Stop working; with a fault pending this is the way to error processing."""
        fault, self._fault = self._fault, None
        if fault is not None:
            return self._errored(fault)
        try:
            self.stop()
        except Exception as error:  # noqa: BLE001 - shown, and answered by error processing
            return self._errored(error)
        self.tally.clear()
        return super().on_deactivate(state)

    def on_cleanup(self, state: LifecycleState) -> TransitionCallbackReturn:
        """Give everything back; with a fault pending this is the way to error processing."""
        fault, self._fault = self._fault, None
        if fault is not None:
            return self._errored(fault)
        self._dismantle()
        return super().on_cleanup(state)

    def on_shutdown(self, state: LifecycleState) -> TransitionCallbackReturn:
        """Stop and give everything back, from any state."""
        try:
            self.stop()
            self._dismantle()
        except Exception:  # noqa: BLE001 - shown; the process ends anyway, and in order
            self.get_logger().error(f"not everything could be given back:\n{traceback.format_exc()}")
        return super().on_shutdown(state)

    def on_error(self, state: LifecycleState) -> TransitionCallbackReturn:
        """Stop, give everything back and become unconfigured; start again later where that is wanted."""
        try:
            self.stop()
            self._dismantle()
        except Exception:  # noqa: BLE001 - shown; a node that cannot even stop is finalised
            self.get_logger().fatal(f"error processing failed:\n{traceback.format_exc()}")
            return TransitionCallbackReturn.FAILURE
        if self.config.recover_after > 0:
            self.get_logger().warning(f"starting again in {self.config.recover_after:g} s")
            self._schedule_start(self.config.recover_after)
        return TransitionCallbackReturn.SUCCESS

    def _errored(self, error: Exception) -> TransitionCallbackReturn:
        self.tally.add("errors")
        self._error = f"{type(error).__name__}: {error}"
        trace = "".join(traceback.format_exception(type(error), error, error.__traceback__))
        self.get_logger().error(f"error processing after {self._error}\n{trace}")
        return TransitionCallbackReturn.ERROR

    def _dismantle(self) -> None:
        self.teardown()
        while self._owned:
            self._owned.pop()()
        self._forget_destroyed()
        self.tally.clear()
        heap.give_back()

    def _forget_destroyed(self) -> None:
        """Take out of the default group what no longer lives: rclpy keeps a reference to all that ever was in it."""
        known = self.default_callback_group.entities
        for reference in list(known):
            if reference() is None:
                known.discard(reference)

    def _schedule_start(self, seconds: float) -> None:
        self._restart = self.steady_timer(max(seconds, 0.001), self._start_by_itself)

    def _start_by_itself(self) -> None:
        """Configure and activate, unless somebody else did meanwhile."""
        if self._restart is not None:
            self.destroy_timer(self._restart)
            self._restart = None
        if self.state[0] != State.PRIMARY_STATE_UNCONFIGURED:
            return
        if self.trigger_configure() == TransitionCallbackReturn.SUCCESS:
            self.trigger_activate()

    def _process_fault(self) -> None:
        """Leave the state that the node is in through a transition that fails: error processing follows."""
        if self._fault is None:
            return
        state = self.state[0]
        if state == State.PRIMARY_STATE_ACTIVE:
            self.trigger_deactivate()
        elif state == State.PRIMARY_STATE_INACTIVE:
            self.trigger_cleanup()
        else:  # a transition is on its way, or nothing is set up that could be taken down
            fault, self._fault = self._fault, None
            self.get_logger().error(f"in state {self.state[1]}: {type(fault).__name__}: {fault}")

    # Signs of life -------------------------------------------------------------------------------

    def _beat(self) -> None:
        number, label = self.state
        self._heart.publish(State(id=number, label=label))

    def _diagnose(self) -> None:
        _, label = self.state
        text = self._error or (str(self.problem) if self.problem else "")
        own = Report("lifecycle", "error" if text else "ok", text or label, {"state": label, **self._error_counts()})
        self._diagnostics.publish([own, *(self.reports() if self.is_active else [])])

    def _error_counts(self) -> dict[str, Any]:
        return {"errors": self.tally.counts().get("errors", 0)}

    def close(self) -> None:
        """Shut down, from whatever state, before the process ends; the executor no longer spins."""
        if self.state[0] in (
            State.PRIMARY_STATE_UNCONFIGURED,
            State.PRIMARY_STATE_INACTIVE,
            State.PRIMARY_STATE_ACTIVE,
        ):
            self.trigger_shutdown()

    def now(self) -> float:
        """Return seconds of a steady clock, for ages and rates in diagnostics."""
        return time.monotonic()


def publish_all(publishers: Iterable[tuple[Publisher, Callable[[], Any]]]) -> None:
    """Publish a message on each topic that somebody listens to, in this order; what nobody wants is not even made."""
    for target, make in publishers:
        if target.get_subscription_count() > 0:
            target.publish(make())
