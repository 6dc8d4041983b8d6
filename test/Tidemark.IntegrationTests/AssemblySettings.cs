// Each class has its own servers. Two cores cannot run several such clusters under load at the same time.
[assembly: CollectionBehavior(DisableTestParallelization = true)]
