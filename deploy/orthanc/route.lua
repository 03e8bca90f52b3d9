-- Orthanc: send each mammogram to the node as it arrives. What the node sends back is never routed to it.
function OnStoredInstance(instanceId, tags, metadata, origin)
  if tags['Modality'] == 'MG' and origin['RemoteAet'] ~= 'MAMMONODE' then
    SendToModality(instanceId, 'mammonode')
  end
end
