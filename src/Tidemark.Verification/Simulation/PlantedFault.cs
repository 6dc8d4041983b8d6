namespace Tidemark.Verification;

/// <summary>
/// The known ways to get read replicas wrong, each planted where the simulated world meets the library, to show that the checker catches
/// it. The numbers are stable.
/// </summary>
public enum PlantedFault
{
    /// <summary>None: the library as it is.</summary>
    None = 0,

    /// <summary>The position of a write is read before its commit.</summary>
    PositionBeforeCommit = 1,

    /// <summary>The flush position stands for an asynchronous commit, in place of the insert position.</summary>
    FlushForAsynchronousCommit = 2,

    /// <summary>An insert position behind a page header is taken as it is: no replica gets there while nothing else is written.</summary>
    PageHeaderNotNormalised = 3,

    /// <summary>What a replica was known to have before a read stands for what the read has shown.</summary>
    GateAsSeenWatermark = 4,

    /// <summary>Of parallel responses the last one's token wins.</summary>
    TokenOverwrittenByOlder = 5,

    /// <summary>A token that has expired or is not signed well counts as "nothing was written".</summary>
    BadTokenMeansFresh = 6,

    /// <summary>A read that moves to another node forgets what it must include.</summary>
    RequirementDroppedOnRetry = 7,

    /// <summary>The list of nodes changes between decision and use.</summary>
    NodeListChangedUnderDecision = 8,

    /// <summary>
    /// The epoch is the start time alone: after a crash that leaves it unchanged, a node's old position still counts as proven.
    /// </summary>
    EpochByStartTime = 9,

    /// <summary>Places lose their timelines.</summary>
    PositionsWithoutTimeline = 10,

    /// <summary>A replica whose lag is NULL counts as not behind.</summary>
    NullLagMeansZero = 11,

    /// <summary>A replica that has replayed all it received counts as caught up, cut off or not.</summary>
    ReceivedMeansCaughtUp = 12,

    /// <summary>A session leaves the primary as soon as the first replica has its write.</summary>
    UnstickAtFirstReplica = 13,

    /// <summary>A node that was never asked counts as a healthy replica without lag.</summary>
    NewNodeMeansHealthy = 14,

    /// <summary>Positions are compared as text.</summary>
    PositionsComparedAsText = 15,

    /// <summary>A promoted node whose replay position stands still counts as a replica.</summary>
    RoleFromFrozenPosition = 16,

    /// <summary>Reads return to replicas a fixed time after a write.</summary>
    FixedWindow = 17,

    /// <summary>What is pending is resolved by a sample that was taken before it.</summary>
    SampleBeforeEvent = 18,

    /// <summary>What is pending is resolved by whatever timeline the primary is on now.</summary>
    ResolvedOnAnotherTimeline = 19,

    /// <summary>Reads on the primary count for nothing.</summary>
    PrimaryReadsLeaveNoWatermark = 20,

    /// <summary>A standby left behind on a dead timeline is believed.</summary>
    DeadTimelineBelieved = 21,

    /// <summary>The primary's position counts as of the moment its answer came, not of that before it was asked.</summary>
    StalenessTimedAtReceipt = 22,

    /// <summary>Of two hedged reads the one that lost says what was seen.</summary>
    HedgeLoserWins = 23,

    /// <summary>What a standby has received bounds what it has shown, also while that is behind what it has replayed.</summary>
    ReceivedBoundsSeen = 24,

    /// <summary>An error of the primary counts for nothing.</summary>
    PrimaryErrorLeavesNoWatermark = 25,

    /// <summary>Any position 40 bytes into a page counts as one behind a segment's header.</summary>
    SegmentHeaderAnywhere = 26,

    /// <summary>Connections for reads may write.</summary>
    WritableReadPool = 27,

    /// <summary>A connection opened since the last probe counts as proven.</summary>
    YoungConnectionProven = 28,

    /// <summary>
    /// A connection ends between the acknowledgement of a write and its position, and a position that was known before stands for it.
    /// </summary>
    AcknowledgedAtOldPosition = 29,

    /// <summary>A position that was sampled while the transaction was open counts as that of its commit.</summary>
    PositionInOpenTransaction = 30,

    /// <summary>Two servers behind one name are taken for one: whatever connection is used, it is of the epoch that is known.</summary>
    BalancedEpochNotChecked = 31,

    /// <summary>A hidden write whose answer was lost is sent again on a connection that may write.</summary>
    HiddenWriteRepeated = 32,

    /// <summary>Every response sets the same cookie, in whichever order responses arrive.</summary>
    OneCookieName = 33,

    /// <summary>A standby that hides its timeline is taken to follow the latest one at once.</summary>
    HiddenTimelineTrusted = 34,

    /// <summary>A replica that has more than the primary of its timeline ever had goes on serving.</summary>
    DivergedReplicaServes = 35,

    /// <summary>
    /// A new start of a server is taken for the end of what it had not flushed, and the crash of one backend is not noticed.
    /// </summary>
    RestartTakenForCrash = 36,

    /// <summary>What an open reader has shown counts only from its end.</summary>
    ReaderNotedAtItsEnd = 37,

    /// <summary>The identity of whichever node answers first is taken for that of all others.</summary>
    IdentityPinnedByForeigner = 38,

    /// <summary>Behind a pooler, where no connection ends with the server's run, a new run is not noticed.</summary>
    CrashBehindPoolerNotSeen = 39,
}
