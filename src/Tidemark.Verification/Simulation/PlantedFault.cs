namespace Tidemark.Verification;

/// <summary>
/// Known defects in the use of read replicas. Each can be planted at the boundary between the simulated world and the library, to show that
/// the checker catches it. The numbers are stable.
/// </summary>
public enum PlantedFault
{
    /// <summary>No fault: the library as it is.</summary>
    None = 0,

    /// <summary>The position of a write is read before its commit.</summary>
    PositionBeforeCommit = 1,

    /// <summary>The flush position is used for an asynchronous commit instead of the insert position.</summary>
    FlushForAsynchronousCommit = 2,

    /// <summary>An insert position after a page header is used as it is. No replica reaches it while nothing else is written.</summary>
    PageHeaderNotNormalised = 3,

    /// <summary>The position that a replica was proven to have before a read is used as the position that the read has shown.</summary>
    GateAsObservedWatermark = 4,

    /// <summary>Of the tokens of parallel responses, the last one wins.</summary>
    TokenOverwrittenByOlder = 5,

    /// <summary>A token that has expired or has an invalid signature counts as "nothing was written".</summary>
    BadTokenMeansFresh = 6,

    /// <summary>A read that moves to another node loses its requirement.</summary>
    RequirementDroppedOnRetry = 7,

    /// <summary>The list of nodes changes between decision and use.</summary>
    NodeListChangedUnderDecision = 8,

    /// <summary>
    /// The epoch consists of the start time only. After a crash that leaves it unchanged, a node's old position still counts as proven.
    /// </summary>
    EpochByStartTime = 9,

    /// <summary>WAL positions lose their timelines.</summary>
    PositionsWithoutTimeline = 10,

    /// <summary>A replica whose lag is NULL counts as having no lag.</summary>
    NullLagMeansZero = 11,

    /// <summary>A replica that has replayed all that it received counts as caught up, even if it is disconnected.</summary>
    ReceivedMeansCaughtUp = 12,

    /// <summary>A session leaves the primary as soon as the first replica has its write.</summary>
    UnstickAtFirstReplica = 13,

    /// <summary>A node that was never probed counts as a healthy replica without lag.</summary>
    NewNodeMeansHealthy = 14,

    /// <summary>Positions are compared as text.</summary>
    PositionsComparedAsText = 15,

    /// <summary>A promoted node whose replay position does not change counts as a replica.</summary>
    RoleFromFrozenPosition = 16,

    /// <summary>Reads return to replicas a fixed time after a write.</summary>
    FixedWindow = 17,

    /// <summary>A pending watermark is resolved by a sample that was taken before it.</summary>
    SampleBeforeEvent = 18,

    /// <summary>A pending watermark is resolved on the primary's current timeline, even if it belongs to another one.</summary>
    ResolvedOnAnotherTimeline = 19,

    /// <summary>Reads on the primary leave no watermark.</summary>
    PrimaryReadsLeaveNoWatermark = 20,

    /// <summary>A standby that was left behind on a dead timeline is trusted.</summary>
    DeadTimelineAccepted = 21,

    /// <summary>The primary's position counts as of the time of its response, and not of the time before the probe was sent.</summary>
    StalenessTimedAtReceipt = 22,

    /// <summary>Of two hedged reads, the one that lost determines what was observed.</summary>
    HedgeLoserWins = 23,

    /// <summary>The position that a standby has received limits what it has shown, even if that is less than its replay position.</summary>
    ReceivedBoundsObserved = 24,

    /// <summary>An error of the primary leaves no watermark.</summary>
    PrimaryErrorLeavesNoWatermark = 25,

    /// <summary>Any position 40 bytes into a page counts as a position after a segment header.</summary>
    SegmentHeaderAnywhere = 26,

    /// <summary>Connections for reads may write.</summary>
    WritableReadPool = 27,

    /// <summary>A connection opened since the last probe counts as proven.</summary>
    YoungConnectionProven = 28,

    /// <summary>
    /// A connection ends between the acknowledgement of a write and its position, and an earlier position is used for the write.
    /// </summary>
    AcknowledgedAtOldPosition = 29,

    /// <summary>A position that was sampled while the transaction was open counts as that of its commit.</summary>
    PositionInOpenTransaction = 30,

    /// <summary>Two servers that share a name are treated as one. Any connection counts as belonging to the recorded epoch.</summary>
    BalancedEpochNotChecked = 31,

    /// <summary>A hidden write whose response was lost is retried on a connection that may write.</summary>
    HiddenWriteRetried = 32,

    /// <summary>Every response sets the same cookie, in the order in which the responses arrive.</summary>
    OneCookieName = 33,

    /// <summary>A standby that hides its timeline is assumed to follow the latest one immediately.</summary>
    HiddenTimelineTrusted = 34,

    /// <summary>A replica that has more WAL than the primary of its timeline ever had continues to serve reads.</summary>
    DivergedReplicaServes = 35,

    /// <summary>
    /// A new start of a server is treated as the loss of what it had not flushed, and the crash of one backend is not detected.
    /// </summary>
    RestartTakenForCrash = 36,

    /// <summary>What an open reader has shown is observed only at the end of the reader.</summary>
    ReaderNotedAtItsEnd = 37,

    /// <summary>The identity of the node that responds first is used for all other nodes.</summary>
    IdentityPinnedByForeigner = 38,

    /// <summary>A new epoch is not detected behind a pooler, where no connection ends with the server's epoch.</summary>
    CrashBehindPoolerMissed = 39,
}
