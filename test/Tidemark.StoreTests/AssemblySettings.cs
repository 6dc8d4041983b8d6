// Each class has servers and a store of its own; two cores would not carry several under load at once.
[assembly: CollectionBehavior(DisableTestParallelization = true)]
