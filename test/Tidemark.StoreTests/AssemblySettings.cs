// Each class starts its own servers and store. A machine with two cores cannot run several of them under load.
[assembly: CollectionBehavior(DisableTestParallelization = true)]
